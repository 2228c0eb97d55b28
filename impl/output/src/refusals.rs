//! Systems that refuse something, made for one thread of a test and everything that it starts.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use nix::errno::Errno;
use nix::libc::{self, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

/// Makes these system calls fail like this.
pub(crate) fn refuse(calls: &[c_long], error: Errno) {
    apply(calls.iter().map(|it| (*it, vec![])).collect(), error);
}

/// Makes every new thread fail, and no new process.
pub(crate) fn refuse_threads() {
    let flag = libc::CLONE_THREAD.unsigned_abs().into();
    let is_thread =
        SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), flag);
    let rule = SeccompRule::new(vec![is_thread.expect("an argument")]).expect("a condition");
    // Its flags are behind a pointer. The C library goes on with the older call.
    refuse(&[libc::SYS_clone3], Errno::ENOSYS);
    apply([(libc::SYS_clone, vec![rule])].into(), Errno::EAGAIN);
}

fn apply(rules: BTreeMap<c_long, Vec<SeccompRule>>, error: Errno) {
    let error = SeccompAction::Errno((error as i32).unsigned_abs());
    let arch = ARCH.try_into().expect("a processor with such filters");
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, error, arch).expect("a filter");
    apply_filter(&BpfProgram::try_from(filter).expect("a program")).expect("a thread may do that");
}
