//! Counting what a step asks of a GPU: kernels launched, and tensors read by the host.

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Kernels that were launched.
    pub(crate) launches: usize,
    /// Buffers that the host mapped to read: 0 on a device that is not driven by wgpu, since nothing else logs it.
    pub(crate) reads: usize,
}

/// Runs `work`, which must end with the device in step with the host, and counts; `None` in a build without a GPU.
#[cfg(not(feature = "gpu"))]
pub(crate) fn counted<T>(work: impl FnOnce() -> T) -> (T, Option<Counts>) {
    (work(), None)
}

#[cfg(feature = "gpu")]
pub(crate) use gpu::counted;

#[cfg(feature = "gpu")]
mod gpu {
    use super::Counts;
    use burn::cubecl::logging::{LaunchObservation, LaunchObserver};
    use log::{LevelFilter, Log, Metadata, Record};
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::sync::{Arc, Once};

    /// Runs `work`, which must end with the device in step with the host, and counts.
    pub(crate) fn counted<T>(work: impl FnOnce() -> T) -> (T, Option<Counts>) {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| log::set_logger(&Mappings).expect("no other logger"));
        MAPPED.store(0, Relaxed);
        let launches = Arc::new(Launches::default());
        let watching = LaunchObservation::new(launches.clone());
        log::set_max_level(LevelFilter::Trace);
        let result = work();
        log::set_max_level(LevelFilter::Off);
        drop(watching);
        let counts = Counts {
            launches: launches.0.load(Relaxed),
            reads: MAPPED.load(Relaxed),
        };
        (result, Some(counts))
    }

    #[derive(Default)]
    struct Launches(AtomicUsize);

    impl LaunchObserver for Launches {
        fn launched(&self, _kernel: &'static str) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    static MAPPED: AtomicUsize = AtomicUsize::new(0);

    /// Whatever the host reads, it maps first: wgpu says so in its log of calls.
    struct Mappings;

    impl Log for Mappings {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target().starts_with("wgpu_core")
        }

        fn log(&self, record: &Record<'_>) {
            if self.enabled(record.metadata())
                && record.args().to_string().starts_with("Buffer::map_async")
            {
                MAPPED.fetch_add(1, Relaxed);
            }
        }

        fn flush(&self) {}
    }
}
