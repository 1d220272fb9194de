//! A measurement that also tells peak memory.

use std::fs;

use bytesize::ByteSize;
use criterion::{BenchmarkId, Criterion, Throughput};

/// Times `once`, which works on `elements` rows, and prints the most memory that the process held meanwhile.
pub fn measure(criterion: &mut Criterion, group: &str, name: &str, elements: u64, mut once: impl FnMut()) {
    forget_peak();
    let mut group_of = criterion.benchmark_group(group);
    group_of.sample_size(10).throughput(Throughput::Elements(elements));
    group_of.bench_function(BenchmarkId::from_parameter(name), |bencher| bencher.iter(&mut once));
    group_of.finish();
    if let Some(bytes) = peak() {
        eprintln!(
            "{group}/{name}: peak memory {}, data of the bench included",
            ByteSize(bytes)
        );
    }
}

/// Makes the kernel count the peak from now on. Only Linux can; elsewhere, no peak is printed.
fn forget_peak() {
    _ = fs::write("/proc/self/clear_refs", "5");
}

fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
}
