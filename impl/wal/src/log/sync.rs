//! What the threads of a log are made of.

pub(super) use atomic_wait::{wait, wake_all, wake_one};
pub(super) use std::sync::{Condvar, Mutex, MutexGuard, atomic};
pub(super) use std::thread;
