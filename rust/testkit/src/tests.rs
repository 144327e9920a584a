//! What is built, read by `thinscope_core`.

mod brute;
mod healthy;
mod hostile;
mod reading;
mod trees;
