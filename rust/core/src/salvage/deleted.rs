//! Devices that older states have and the live pool has not.

use std::collections::{HashMap, HashSet};

use super::scan::Scan;
use super::{Deleted, State, Verdict};
use crate::error::Result;
use crate::units::{DeviceId, MetadataBlock};
use crate::watch::Watch;

/// Reads that looking through states may take, beside a quarter of the blocks.
const FEW_READS: u64 = 4096;

/// What tells a device from others that had its id: when it was made.
type Made = (DeviceId, u32, u64);

/// Finds the devices of all states that `reference`, by its place, has not; each with the best
/// state that has it, a whole tree before one that is not. Also whether all states were looked at.
pub(super) fn deleted(
    scan: &Scan,
    states: &[State],
    reference: Option<usize>,
    watch: &Watch,
) -> Result<(Vec<Deleted>, bool)> {
    let mut present: HashSet<Made> = HashSet::new();
    if let Some(state) = reference.and_then(|at| states.get(at))
        && let Some(pairs) = scan.pairs(state, watch)?
    {
        present.extend(pairs.into_iter().filter_map(|(id, _, record)| {
            let record = record?;
            Some((id, record.creation_time.get(), record.transaction_id.get()))
        }));
    }
    watch.begin("looking for deleted devices", 0);
    let mut left = (scan.nodes.blocks / 4).saturating_add(FEW_READS);
    let mut found: HashMap<Made, Deleted> = HashMap::new();
    // A pair of lists says the same again and again.
    let mut seen: HashSet<(Option<MetadataBlock>, MetadataBlock)> = HashSet::new();
    for (at, state) in states.iter().enumerate() {
        watch.advance(1)?;
        let Some(details) = state.details_root else { continue };
        if Some(at) == reference || !seen.insert((state.mapping_root, details)) {
            continue;
        }
        let cost = (state.devices / 16).saturating_add(2);
        if cost > left {
            return Ok((sorted(found), false));
        }
        left = left.saturating_sub(cost);
        let Some(pairs) = scan.pairs(state, watch)? else { continue };
        for (id, root, record) in pairs {
            let Some((root, record)) = root.zip(record) else { continue };
            let made = (id, record.creation_time.get(), record.transaction_id.get());
            if present.contains(&made) {
                continue;
            }
            let tree = scan.nodes.at(root).filter(|tree| tree.is_mapping_tree());
            let counted = tree.map_or(0, |tree| tree.mappings);
            let is_whole = tree.is_some_and(|tree| {
                tree.is_complete
                    && tree.mappings == record.mapped_blocks.get()
                    && tree.newest <= state.time.get()
            });
            let new = Deleted {
                id,
                creation_time: record.creation_time.get(),
                transaction_id: record.transaction_id.get(),
                state: at,
                root,
                recorded: record.mapped_blocks.get(),
                mapped: counted,
                is_whole,
                is_consistent: state.verdict == Verdict::Consistent,
            };
            let old = found.get(&made);
            if old.is_none_or(|old| !old.is_whole && (is_whole || old.mapped < counted)) {
                found.insert(made, new);
            }
        }
    }
    Ok((sorted(found), true))
}

fn sorted(found: HashMap<Made, Deleted>) -> Vec<Deleted> {
    let mut all: Vec<_> = found.into_values().collect();
    all.sort_unstable_by_key(|each| (each.id, each.creation_time, each.transaction_id));
    all
}
