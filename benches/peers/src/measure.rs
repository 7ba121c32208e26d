//! How a case is measured.

use std::{process::Command, time::Instant};

use crate::Case;

/// The median time of one call of each case, over rounds in which every case takes its turn.
pub fn nanoseconds(cases: &[Case]) -> Vec<f64> {
    let mut calls: Vec<_> = cases.iter().map(|case| (case.make)()).collect();
    let mut rounds: Vec<Vec<f64>> = vec![Vec::new(); cases.len()];
    for round in 0..=ROUNDS {
        for (call, times) in calls.iter_mut().zip(&mut rounds) {
            let start = Instant::now();
            (0..CALLS).for_each(|_| call());
            // The first round warms up.
            if round > 0 {
                times.push(start.elapsed().as_nanos() as f64 / f64::from(CALLS));
            }
        }
    }
    rounds.iter_mut().map(|times| median(times)).collect()
}

/// Allocations of one call, once it is warm.
pub fn allocations(case: &Case) -> f64 {
    let mut call = (case.make)();
    (0..1_000).for_each(|_| call());
    let counted = allocation_counter::measure(|| (0..1_000).for_each(|_| call()));
    counted.count_total as f64 / 1_000.0
}

/// Instructions of one call, or nothing where valgrind is not there or does not know the processor.
pub fn instructions(case: &Case) -> Option<f64> {
    let run = |calls: u32| -> Option<f64> {
        let this = std::env::current_exe().ok()?;
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(this)
            .args(["count", case.name, &calls.to_string()])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let counted = text.lines().find_map(|line| line.split("Collected :").nth(1))?;
        counted.trim().parse().ok()
    };
    Some((run(3_000)? - run(1_000)?) / 2_000.0)
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

const ROUNDS: u32 = 21;
const CALLS: u32 = 20_000;
