//! What is built, read by `thinscope_core`.

mod brute;
mod healthy;
mod hostile;
mod properties;
mod trees;
mod trials;
