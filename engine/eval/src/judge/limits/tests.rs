//! The limits against simple models, and from many threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::rate::Bucket;
use super::*;

fn minute(cancel: &Cancel) -> Patience<'_> {
    Patience::new(cancel, Instant::now() + Duration::from_secs(60))
}

proptest! {
    /// One thread: the books are those of a model that counts in whole parts of 1/128 dollar, which are exact.
    #[test]
    fn budget_keeps_books(
        limit in 0_u32..640,
        calls in prop::collection::vec((0_u32..100, 0_u32..4), 1..40),
    ) {
        let cancel = Cancel::default();
        let budget = Budget::new(Some(f64::from(limit) / 128.0));
        let (mut spent, mut unsure) = (0, 0);
        for (most, end) in calls {
            let reserved = budget.reserve(f64::from(most) / 128.0, &minute(&cancel));
            prop_assert_eq!(reserved.is_ok(), spent + unsure + most <= limit);
            let Ok(reservation) = reserved else { continue };
            match end {
                0 => reservation.free(),
                1 => {
                    reservation.settle(f64::from(most / 2) / 128.0);
                    spent += most / 2;
                }
                2 => {
                    reservation.settle(f64::from(most) / 128.0);
                    spent += most;
                }
                _ => {
                    drop(reservation);
                    unsure += most;
                }
            }
        }
        prop_assert!((budget.spent_usd() - f64::from(spent) / 128.0).abs() < 1e-9);
        prop_assert!((budget.unsure_usd() - f64::from(unsure) / 128.0).abs() < 1e-9);
    }

    /// Simulated time: what passes a bucket stays under its rate, and something passes whenever it says so.
    #[test]
    fn bucket_keeps_rate(
        per_minute in 1_u32..6000,
        draws in prop::collection::vec((0_u64..500, 1_u32..300), 1..100),
    ) {
        let mut bucket = Bucket::new(per_minute);
        let rate = f64::from(per_minute) / 60.0;
        let (mut now, mut passed) = (Duration::ZERO, 0.0);
        for (idle_ms, amount) in draws {
            now += Duration::from_millis(idle_ms);
            let wait = bucket.wait(now);
            if !wait.is_zero() {
                prop_assert!(!bucket.wait(now + wait / 2).is_zero());
            }
            now += wait;
            let rest = bucket.wait(now);
            prop_assert!(rest < Duration::from_micros(1), "still {rest:?} to wait");
            now += rest;
            let allowed = rate * now.as_secs_f64() + rate.max(1.0);
            prop_assert!(passed <= allowed + 1e-3, "{passed} passed where {allowed} may");
            bucket.draw(f64::from(amount));
            passed += f64::from(amount);
        }
    }
}

#[test]
fn budget_waits_for_what_comes_back() {
    let cancel = Cancel::default();
    let budget = Budget::new(Some(1.0));
    let first = budget.reserve(0.9, &minute(&cancel)).unwrap();
    thread::scope(|scope| {
        let second = scope.spawn(|| budget.reserve(0.5, &minute(&cancel)).map(|r| r.settle(0.5)));
        first.settle(0.1);
        second.join().unwrap().unwrap();
    });
    assert!((budget.spent_usd() - 0.6).abs() < 1e-12);
    assert!(matches!(
        budget.reserve(0.5, &minute(&cancel)),
        Err(NoMoney::Spent { .. })
    ));
}

#[test]
fn budget_is_not_exceeded_by_threads() {
    let cancel = Cancel::default();
    let budget = Budget::new(Some(1.0));
    let made = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..8 {
            let (budget, made, cancel) = (&budget, &made, &cancel);
            scope.spawn(move || {
                for call in 0..100 {
                    let Ok(reservation) = budget.reserve(0.01, &minute(cancel)) else {
                        continue;
                    };
                    made.fetch_add(1, Ordering::Relaxed);
                    match (thread + call) % 3 {
                        0 => reservation.settle(0.004),
                        1 => reservation.free(),
                        _ => drop(reservation),
                    }
                    assert!(budget.spent_usd() + budget.unsure_usd() <= 1.0 + 1e-12);
                }
            });
        }
    });
    // Less than a call is left, and no call that would fit was refused before.
    assert!(budget.spent_usd() + budget.unsure_usd() > 1.0 - 0.01 - 1e-12);
    assert!(made.into_inner() > 100);
}

#[test]
fn what_is_no_money_counts_as_the_most() {
    let cancel = Cancel::default();
    let budget = Budget::new(Some(1.0));
    for odd in [f64::NAN, f64::INFINITY] {
        assert!(budget.reserve(odd, &minute(&cancel)).is_err());
    }
    budget.reserve(-5.0, &minute(&cancel)).unwrap().settle(-5.0);
    assert_eq!(budget.spent_usd(), 0.0);
}

#[test]
fn gate_holds_its_places() {
    let cancel = Cancel::default();
    let gate = Gate::new(3);
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let _pass = gate.enter(&minute(&cancel)).unwrap();
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert!((1..=3).contains(&most.into_inner()));
}

#[test]
fn waits_end_with_the_deadline_or_the_flag() {
    let flag = Arc::new(AtomicBool::new(false));
    let cancel = Cancel::new(flag.clone());
    let over = Patience::new(&cancel, Instant::now());
    let gate = Gate::new(1);
    let rates = Rates::new(Some(1), None);
    let budget = Budget::new(None);
    assert_eq!(gate.enter(&over).err(), Some(Stop::Deadline));
    assert_eq!(rates.take(1, &over), Err(Stop::Deadline));
    assert_eq!(over.sleep(Duration::from_secs(9)), Err(Stop::Deadline));
    assert_eq!(
        budget.reserve(0.0, &over).err(),
        Some(NoMoney::Stop(Stop::Deadline))
    );

    flag.store(true, Ordering::Relaxed);
    assert_eq!(minute(&cancel).check(), Err(Stop::Cancelled));
    flag.store(false, Ordering::Relaxed);
    assert_eq!(
        minute(&cancel).check(),
        Err(Stop::Cancelled),
        "once is for good"
    );
}

#[test]
fn rates_pass_large_calls_and_make_the_next_wait() {
    let cancel = Cancel::default();
    let soon = Patience::new(&cancel, Instant::now() + Duration::from_secs(20));
    let rates = Rates::new(None, Some(60));
    assert_eq!(rates.take(1000, &soon), Ok(()));
    // 1000 tokens are paid for in a thousand seconds, which is after the deadline.
    assert_eq!(rates.take(1, &soon), Err(Stop::Deadline));
    // It had fewer after all.
    rates.correct(1000, 0);
    assert_eq!(rates.take(1, &soon), Ok(()));
    // Whatever a server says that was used, nothing breaks.
    rates.correct(0, u64::MAX);
    assert_eq!(rates.take(1, &soon), Err(Stop::Deadline));
}
