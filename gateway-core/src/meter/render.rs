//! Prometheus text, version 0.0.4.

use std::{collections::BTreeMap, fmt::Write};

use super::{Family, Histogram, LabelSet, Ordering, Series};

pub(super) fn text(families: &BTreeMap<&'static str, Family>) -> String {
    let mut out = String::new();
    for (name, family) in families {
        let kind = match family.series.values().next() {
            None => continue,
            Some(Series::Counter(_)) => "counter",
            Some(Series::Gauge(_)) => "gauge",
            Some(Series::Histogram(_)) => "histogram",
        };
        line(&mut out, format_args!("# HELP {name} {}", family.help));
        line(&mut out, format_args!("# TYPE {name} {kind}"));
        for (labels, series) in &family.series {
            match series {
                Series::Counter(counter) => {
                    line(&mut out, format_args!("{name}{} {}", braces(labels, None), counter.value()));
                }
                Series::Gauge(gauge) => {
                    line(&mut out, format_args!("{name}{} {}", braces(labels, None), gauge.value()));
                }
                Series::Histogram(histogram) => histogram_lines(&mut out, name, labels, histogram),
            }
        }
    }
    out
}

fn histogram_lines(out: &mut String, name: &str, labels: &LabelSet, histogram: &Histogram) {
    let mut sum = 0;
    for (index, bucket) in histogram.0.buckets.iter().enumerate() {
        sum += bucket.load(Ordering::Relaxed);
        let bound = Histogram::BOUNDS.get(index).map_or("+Inf".to_owned(), ToString::to_string);
        line(out, format_args!("{name}_bucket{} {sum}", braces(labels, Some(&bound))));
    }
    let nanos = histogram.0.nanos.load(Ordering::Relaxed);
    let seconds = std::time::Duration::from_nanos(nanos).as_secs_f64();
    line(out, format_args!("{name}_sum{} {seconds}", braces(labels, None)));
    line(out, format_args!("{name}_count{} {sum}", braces(labels, None)));
}

fn braces(labels: &LabelSet, bound: Option<&str>) -> String {
    let labels = labels.iter().map(|(name, value)| (*name, value.as_str()));
    let pairs: Vec<String> = labels
        .chain(bound.map(|bound| ("le", bound)))
        .map(|(name, value)| format!("{name}=\"{}\"", escape(value)))
        .collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a string takes every text");
}

#[cfg(test)]
mod tests {
    use crate::meter::Meter;
    use std::time::Duration;

    #[test]
    fn writes_what_prometheus_reads() {
        let meter = Meter::default();
        meter.counter("requests_total", "Requests.", &[("route", "a\"b")]).add(2);
        meter.gauge("active", "Active.", &[]).set(-1);
        meter.histogram("seconds", "Times.", &[]).record(Duration::from_millis(7));
        let text = meter.render();
        assert!(text.contains("# TYPE requests_total counter\nrequests_total{route=\"a\\\"b\"} 2\n"));
        assert!(text.contains("# TYPE active gauge\nactive -1\n"));
        assert!(text.contains("seconds_bucket{le=\"0.005\"} 0\nseconds_bucket{le=\"0.01\"} 1\n"));
        assert!(text.contains("seconds_bucket{le=\"+Inf\"} 1\nseconds_sum 0.007\nseconds_count 1\n"));
    }
}
