#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| thinscope_testkit::trial::superblock::run(input));
