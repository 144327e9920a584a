//! What is built, read by `thinscope_core`.

mod brute;
mod fragmentation;
mod healthy;
mod hostile;
mod reading;
mod sharing;
mod trees;
