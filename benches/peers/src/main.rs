//! Every layer beside the crate that would be used instead: what one call costs over a leaf that answers at once.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml            # time and allocations, as a table
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- all     # and instructions, with valgrind
//! ```
//!
//! Times are medians of interleaved rounds, so that a machine that slows down slows all of them. Instructions are the
//! difference of two runs under callgrind, so what a program does to start is not in them.
//! The making of the request, the drop of the answer and the leaf itself are measured alone and taken away.

mod cases;
mod measure;
mod ours;
mod theirs;

use cases::Case;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _entered = runtime.enter();
    let cases = cases::all();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        // What callgrind runs.
        ["count", name, calls] => {
            let case = cases.iter().find(|case| case.name == name).expect("a case of this name");
            let mut call = (case.make)();
            (0..calls.parse::<u32>().expect("a number of calls")).for_each(|_| call());
        }
        ["all"] => print(&cases, true),
        _ => print(&cases, false),
    }
}

fn print(cases: &[Case], with_instructions: bool) {
    let times = measure::nanoseconds(cases);
    let allocations: Vec<f64> = cases.iter().map(measure::allocations).collect();
    let instructions: Vec<Option<f64>> =
        cases.iter().map(|case| if with_instructions { measure::instructions(case) } else { None }).collect();
    println!("| what | ns over the leaf | allocations | instructions |\n| --- | --- | --- | --- |");
    for (index, case) in cases.iter().enumerate() {
        let leaf = case.leaf.map_or(index, |name| position(cases, name));
        let over =
            |figures: &[f64]| if leaf == index { figures[index] } else { figures[index] - figures[leaf] };
        let counted = match (instructions[index], instructions[leaf]) {
            (Some(all), _) if leaf == index => format!("{all:.0}"),
            (Some(all), Some(leaf)) => format!("{:.0}", all - leaf),
            _ => "".to_owned(),
        };
        println!("| {} | {:.0} | {:.1} | {counted} |", case.name, over(&times), over(&allocations));
    }
}

fn position(cases: &[Case], name: &str) -> usize {
    cases.iter().position(|case| case.name == name).expect("the leaf is a case")
}
