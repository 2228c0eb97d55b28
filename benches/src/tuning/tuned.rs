//! The value that one constant has in this run. Added to the copy of the engine that `tuning` compiles.
#![allow(missing_docs)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

static CHANGED: AtomicUsize = AtomicUsize::new(0);
static IS_DOUBLED: AtomicBool = AtomicBool::new(false);

/// From now on the constant of this number has the half or the double of its value.
pub fn change(number: usize, is_doubled: bool) {
    CHANGED.store(number, Relaxed);
    IS_DOUBLED.store(is_doubled, Relaxed);
}

#[inline(always)]
pub(crate) fn number<T: Number>(number: usize, value: T) -> T {
    match (CHANGED.load(Relaxed) == number, IS_DOUBLED.load(Relaxed)) {
        (false, _) => value,
        (true, false) => value.halved(),
        (true, true) => value.doubled(),
    }
}

#[inline(always)]
pub(crate) fn logarithm<T: Number>(number: usize, value: T) -> T {
    match (CHANGED.load(Relaxed) == number, IS_DOUBLED.load(Relaxed)) {
        (false, _) => value,
        (true, false) => value.less(),
        (true, true) => value.more(),
    }
}

pub(crate) trait Number: Copy {
    fn halved(self) -> Self;
    fn doubled(self) -> Self;
    fn less(self) -> Self;
    fn more(self) -> Self;
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Number for $number {
            fn halved(self) -> Self { self / 2 }
            fn doubled(self) -> Self { self * 2 }
            fn less(self) -> Self { self - 1 }
            fn more(self) -> Self { self + 1 }
        }
    )*};
}

numbers!(u8 u32 u64 usize i32 isize);

impl<T: Number, const N: usize> Number for [T; N] {
    fn halved(self) -> Self {
        self.map(T::halved)
    }
    fn doubled(self) -> Self {
        self.map(T::doubled)
    }
    fn less(self) -> Self {
        self.map(T::less)
    }
    fn more(self) -> Self {
        self.map(T::more)
    }
}

/// A level of zstd, which stays, and its time.
impl Number for (i32, usize) {
    fn halved(self) -> Self {
        (self.0, self.1 / 2)
    }
    fn doubled(self) -> Self {
        (self.0, self.1 * 2)
    }
    fn less(self) -> Self {
        (self.0, self.1 - 1)
    }
    fn more(self) -> Self {
        (self.0, self.1 + 1)
    }
}
