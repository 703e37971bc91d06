//! Work that other threads do ahead of its use.

use burn::tensor::{Device, Tensor};
use burn_tricks::kernels::{TensorList, ahead};
use std::iter::from_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// In a pool of so many threads, and from outside of every pool.
fn everywhere(test: impl Fn() + Sync) {
    test();
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(&test);
    }
}

#[test]
fn each_item_is_worked_on_once_and_the_results_are_in_order() {
    everywhere(|| {
        for count in [0, 1, 15, 16, 1000] {
            let seen = Mutex::new(Vec::new());
            let work = |item: usize| {
                seen.lock().unwrap().push(item);
                2 * item
            };
            let results: Vec<_> = ahead((0..count).collect(), count, &work, |next| {
                let some = from_fn(&mut *next).collect();
                assert_eq!(next(), None);
                some
            });
            assert_eq!(results, (0..count).map(|item| 2 * item).collect::<Vec<_>>());
            let mut seen = seen.into_inner().unwrap();
            seen.sort_unstable();
            assert_eq!(seen, (0..count).collect::<Vec<_>>());
        }
    });
}

#[test]
fn the_user_gets_the_results_of_slow_work_too() {
    let work = |item: u64| {
        thread::sleep(Duration::from_micros(200 * (item % 3)));
        item
    };
    let results: Vec<_> = ahead((0..100).collect(), 100, &work, |next| {
        from_fn(next).collect()
    });
    assert_eq!(results, (0..100).collect::<Vec<_>>());
}

#[test]
fn other_threads_work_while_the_user_waits() {
    let threads = Mutex::new(Vec::new());
    let work = |_: usize| {
        let thread = thread::current().id();
        threads.lock().unwrap().push(thread);
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .build()
        .unwrap();
    pool.install(|| {
        ahead((0..64).collect(), 64, &work, |next| {
            // Nothing is taken until all work is done.
            let start = Instant::now();
            while threads.lock().unwrap().len() < 64 {
                assert!(start.elapsed() < Duration::from_secs(60), "nobody works");
                thread::yield_now();
            }
            from_fn(next).for_each(drop);
        });
        assert!(!threads.lock().unwrap().contains(&thread::current().id()));
    });
}

/// What `work` panics with at one item.
#[test]
fn a_panic_comes_with_the_result_of_its_item() {
    everywhere(|| {
        for count in [2, 200] {
            let work = |item: usize| {
                assert!(item != count / 2, "item {item} is bad");
                item
            };
            let mut taken = Vec::new();
            let panic = catch_unwind(AssertUnwindSafe(|| {
                ahead((0..count).collect(), count, &work, |next| {
                    from_fn(next).for_each(|item| taken.push(item));
                });
            }));
            let text = panic.unwrap_err();
            let text = text.downcast_ref::<String>().unwrap();
            assert_eq!(*text, format!("item {} is bad", count / 2));
            assert_eq!(taken, (0..count / 2).collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_user_that_panics_or_takes_few_leaves_nothing_behind() {
    everywhere(|| {
        let work = |item: usize| item;
        let first = ahead((0..100).collect(), 100, &work, |next| next());
        assert_eq!(first, Some(0));
        let panic = catch_unwind(AssertUnwindSafe(|| {
            ahead((0..100).collect(), 100, &work, |_| panic!("the user"));
        }));
        assert_eq!(
            *panic.unwrap_err().downcast_ref::<&str>().unwrap(),
            "the user"
        );
    });
}

#[test]
fn tensors_of_some_thousand_numbers_on_the_cpu_are_small() {
    let device = Device::flex();
    let mut list = TensorList::from(Tensor::<2>::zeros([256, 256], &device));
    list.push(Tensor::<2>::zeros([256, 257], &device));
    list.push(Tensor::<1>::zeros([0], &device));
    assert_eq!(list.are_small_on_cpu(), [true, false, true]);
    let held = Tensor::<1>::zeros([3], &device);
    list.push(held.clone());
    assert_eq!(list.are_small_on_cpu(), [true, false, true, false]);
    drop(held);
    assert_eq!(list.are_small_on_cpu(), [true, false, true, true]);
}
