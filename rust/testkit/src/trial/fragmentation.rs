//! How scattered devices are, beside what their runs say.

use thinscope_core::fragmentation::{DeviceFragmentation, Fragmentation, FreeExtents, LengthClass};
use thinscope_core::mappings::Run;
use thinscope_core::space_map::CountRun;

/// Where what is said of devices disagrees with their runs.
pub(crate) fn contradiction(found: &Fragmentation, runs: &[Run]) -> Option<String> {
    found.devices.iter().find_map(|(id, device)| {
        let own: Vec<Run> = runs.iter().filter(|run| run.device == *id).copied().collect();
        let expected = expected(&whatever_the_time(&own));
        (**device != expected)
            .then(|| format!("device {id}: fragmentation {device:?}, runs say {expected:?}"))
    })
}

/// Where what is said to be free disagrees with the reference counts.
pub(crate) fn free_contradiction(found: &FreeExtents, counts: &[CountRun]) -> Option<String> {
    let free: Vec<(u64, u64)> =
        counts.iter().filter(|run| run.count == 0).map(|run| (run.length, run.begin)).collect();
    let mut lengths: Vec<u64> = free.iter().map(|(length, _)| *length).collect();
    lengths.sort_unstable();
    let longest = lengths.last().copied().unwrap_or_default();
    let largest = free.iter().min_by_key(|(length, begin)| (u64::MAX - length, *begin));
    let expected = FreeExtents {
        count: lengths.len() as u64,
        blocks: lengths.iter().sum(),
        longest,
        lengths: classes(&lengths),
        largest: largest
            .map(|(length, begin)| (thinscope_core::units::DataBlock::new(*begin), *length))
            .into_iter()
            .collect(),
    };
    (*found != expected).then(|| format!("free {found:?}, counts say {expected:?}"))
}

/// First virtual block, first data block and length of runs, joined where only times part them.
fn whatever_the_time(runs: &[Run]) -> Vec<(u64, u64, u64)> {
    let mut joined: Vec<(u64, u64, u64)> = Vec::new();
    for run in runs {
        let (key, data) = (run.virtual_begin.get(), run.data_begin.get());
        match joined.last_mut() {
            Some((first, first_data, length))
                if u128::from(*first) + u128::from(*length) == u128::from(key)
                    && *first_data + *length == data =>
            {
                *length += run.length;
            }
            _ => joined.push((key, data, run.length)),
        }
    }
    joined
}

fn expected(runs: &[(u64, u64, u64)]) -> DeviceFragmentation {
    let mut lengths: Vec<u64> = runs.iter().map(|(_, _, length)| *length).collect();
    lengths.sort_unstable();
    let (mut holes, mut seeks, mut seek_blocks) = (0, 0, 0);
    for pair in runs.windows(2) {
        let [(key, data, length), (next_key, next_data, _)] = pair else { continue };
        holes += u64::from(key + (length - 1) + 1 != *next_key);
        let distance = (data + length).abs_diff(*next_data);
        seeks += u64::from(distance > 0);
        seek_blocks += u128::from(distance);
    }
    let mapped_blocks = lengths.iter().sum::<u64>();
    let (mut ios, mut pieces) = ([0; 7], [0; 7]);
    for (power, (ios, pieces)) in ios.iter_mut().zip(&mut pieces).enumerate() {
        let mut before = None;
        for (key, _, length) in runs {
            let (first, last) = (key >> power, (key + (length - 1)) >> power);
            *pieces += last - first + 1;
            *ios += last - first + 1 - u64::from(before == Some(first));
            before = Some(last);
        }
    }
    DeviceFragmentation {
        mapped_blocks,
        neighbours: mapped_blocks.saturating_sub(1).saturating_sub(holes),
        runs: runs.len() as u64,
        median_run: lengths.get(lengths.len().saturating_sub(1) / 2).copied().unwrap_or_default(),
        longest_run: lengths.last().copied().unwrap_or_default(),
        run_lengths: classes(&lengths),
        seeks,
        seek_blocks,
        ios,
        pieces,
    }
}

/// Sorted lengths by powers of two.
fn classes(lengths: &[u64]) -> Vec<LengthClass> {
    let longest = lengths.last().copied().unwrap_or_default();
    let shortest = (0..64).map(|power| 1_u64 << power).take_while(|shortest| *shortest <= longest);
    let class = shortest.map(|shortest| {
        let of_class = lengths.iter().filter(|length| **length / shortest == 1);
        LengthClass { shortest, count: of_class.clone().count() as u64, blocks: of_class.sum() }
    });
    class.collect()
}
