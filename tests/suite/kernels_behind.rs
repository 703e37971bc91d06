//! Work that another thread does behind its caller.

use burn_tricks::kernels::behind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn each_item_is_worked_on_once_and_each_result_is_taken_once() {
    let test = || {
        for count in [0, 1, 2, 500] {
            let seen = Mutex::new(Vec::new());
            let work = |item: usize| {
                seen.lock().unwrap().push(item);
                2 * item
            };
            let mut results = behind(
                &work,
                |give| {
                    (0..count).for_each(&mut *give);
                    Vec::new()
                },
                Vec::push,
            );
            results.sort_unstable();
            assert_eq!(results, (0..count).map(|item| 2 * item).collect::<Vec<_>>());
            let mut seen = seen.into_inner().unwrap();
            seen.sort_unstable();
            assert_eq!(seen, (0..count).collect::<Vec<_>>());
        }
    };
    test();
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(test);
    }
}

#[test]
fn another_thread_works_while_items_are_given() {
    let threads = Mutex::new(Vec::new());
    let work = |_: usize| threads.lock().unwrap().push(thread::current().id());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2);
    pool.build().unwrap().install(|| {
        let give_slowly = |give: &mut dyn FnMut(usize)| {
            for item in 0..8 {
                give(item);
                // The next is given when this one is done.
                let start = Instant::now();
                while threads.lock().unwrap().len() <= item {
                    assert!(start.elapsed() < Duration::from_secs(60), "nobody works");
                    thread::yield_now();
                }
            }
        };
        behind(&work, give_slowly, |(), ()| ());
        assert!(!threads.lock().unwrap().contains(&thread::current().id()));
    });
}

#[test]
fn slow_work_is_waited_for() {
    let work = |item: u64| {
        thread::sleep(Duration::from_micros(300 * (item % 3)));
        item
    };
    let give_all = |give: &mut dyn FnMut(u64)| {
        (1..=50).for_each(give);
        0
    };
    assert_eq!(behind(&work, give_all, |sum, item| *sum += item), 1275);
}

#[test]
fn a_panic_of_the_work_comes_when_all_is_given() {
    let given = Mutex::new(0);
    let work = |item: usize| assert_ne!(item, 3, "no item");
    let give_all = |give: &mut dyn FnMut(usize)| {
        for item in 0..100 {
            give(item);
            *given.lock().unwrap() += 1;
        }
    };
    let panic = catch_unwind(AssertUnwindSafe(|| behind(&work, give_all, |(), ()| ())));
    let panic = panic.unwrap_err();
    let text = panic.downcast_ref::<String>().expect("a message");
    assert!(text.contains("no item"), "{text}");
    assert_eq!(*given.lock().unwrap(), 100);
}

#[test]
fn a_panic_of_the_giver_leaves_no_thread_waiting() {
    let give_one = |give: &mut dyn FnMut(usize)| {
        give(1);
        thread::sleep(Duration::from_millis(5));
        std::panic::panic_any("nothing to give");
    };
    let work = |item: usize| item;
    let panic = catch_unwind(AssertUnwindSafe(|| behind(&work, give_one, |(), _| ())));
    let panic = panic.unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"nothing to give"));
}
