//! Inputs and measurements for the benchmarks of Steadfast.

pub mod delta;
