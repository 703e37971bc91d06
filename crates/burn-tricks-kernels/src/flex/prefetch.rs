//! Numbers that the processor loads before the loop comes to them.

/// Asks the processor to load all cache lines of this. It loads ahead by itself too, but not beyond the page of 4,096 bytes
/// that it is in.
#[inline(always)]
pub(super) fn prefetch<R>(group: &R) {
    #[cfg(target_arch = "x86_64")]
    if let Some(sse) = pulp::core_arch::x86::Sse::try_new() {
        let start: *const i8 = std::ptr::from_ref(group).cast();
        for line in (0..size_of::<R>()).step_by(64) {
            sse._mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(start.wrapping_add(line));
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = group;
}
