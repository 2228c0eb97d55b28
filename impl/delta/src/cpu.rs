//! One piece of code, compiled for several instruction sets, chosen when it runs.

/// Code that is worth compiling for each instruction set.
pub(crate) trait Kernel {
    /// Its result, which is the same on every CPU.
    type Output;

    /// Computes it. Implementations are `#[inline(always)]`, so that they are compiled into each
    /// caller with the caller's instruction set.
    fn run(self) -> Self::Output;
}

/// An instruction set that this CPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cpu(Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Cpu {
    /// The instructions that every CPU has.
    pub(crate) const PORTABLE: Cpu = Cpu(Level::Portable);

    /// The best instructions of this CPU. Cheap: the standard library looks once.
    pub(crate) fn best() -> Cpu {
        Cpu::all().next().unwrap_or(Cpu::PORTABLE)
    }

    /// All instruction sets of this CPU that have a kernel, best first.
    pub(crate) fn all() -> impl Iterator<Item = Cpu> {
        let levels = [
            #[cfg(target_arch = "x86_64")]
            (is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq"))
            .then_some(Level::Avx512),
            #[cfg(target_arch = "x86_64")]
            is_x86_feature_detected!("avx2").then_some(Level::Avx2),
            Some(Level::Portable),
        ];
        levels.into_iter().flatten().map(Cpu)
    }

    /// Runs the kernel as compiled for this instruction set.
    #[allow(unsafe_code)]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Level::Portable => kernel.run(),
            // SAFETY: a Cpu of this level is made only after the features were detected.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { run_avx2(kernel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { run_avx512(kernel) },
        }
    }
}

const CACHE_LINE: usize = 64;

/// Asks for the cache line of a byte that is going to be read.
#[inline(always)]
pub(crate) fn prefetch(byte: &u8) {
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code)]
    // SAFETY: it changes nothing but the time that a read of the byte takes, and each x86-64 has it.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(byte).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = byte;
}

/// Asks for all cache lines of bytes that are going to be read.
pub(crate) fn prefetch_all(bytes: &[u8]) {
    bytes.iter().step_by(CACHE_LINE).for_each(prefetch);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}
