//! The trees of devices, read around what is broken, and every mapping counted.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::devices::Counted;
use super::finding::{Affected, Finding, Severity, Step, identity};
use super::tally::{Counts, Tally};
use super::{Check, Checker, sum};
use crate::btree::Tree;
use crate::damage::Damage;
use crate::devices::{Listing, read_devices_around};
use crate::error::{Place, Result, Structure};
use crate::graph::{Gap, Graph, LeafReader, MAX_ENTRIES, threads};
use crate::superblock::{Draft, View};
use crate::units::{MetadataBlock, Time, widen};

/// Gaps that are looked at: a hostile pool can have many devices reach many broken leaves.
const MAX_GAPS: usize = 1 << 20;

/// Devices' ranges that one finding names.
pub(super) const MAX_AFFECTED: usize = 1000;

/// Broken nodes that are told of one by one.
const MAX_BROKEN: usize = 900;

/// What walking all trees gave.
pub(super) struct Walked {
    /// Of the live devices, then of the metadata snapshot's.
    pub(super) graph: Graph,
    /// How often each data block is mapped, by distinct leaves.
    pub(super) data: Counts,
    /// Whether nothing of the devices' trees is lost.
    pub(super) is_whole: bool,
}

/// A superblock's view of the devices.
pub(super) struct Side<'a> {
    pub(super) draft: &'a Draft,
    pub(super) listing: Listing,
    /// The block of the metadata snapshot's copy, or none: the live superblock.
    pub(super) held: Option<MetadataBlock>,
    /// Which of the graph's roots is the first one's.
    pub(super) first_root: usize,
}

/// What is noted of a leaf.
#[derive(Clone, Copy, Default)]
struct Leaf {
    mappings: u64,
    latest: Time,
}

impl Checker<'_> {
    /// Lists the devices of the live pool, and those of the metadata snapshot.
    pub(super) fn sides<'a>(
        self,
        draft: &'a Draft,
        held: Option<&'a (MetadataBlock, Draft)>,
        check: &mut Check,
    ) -> Result<Vec<Side<'a>>> {
        let mut sides = Vec::new();
        let mut first_root = 0;
        let live = (self.scope.view == View::Live).then_some((None, draft));
        let views = [live, held.map(|(block, copy)| (Some(*block), copy))];
        for (held, draft) in views.into_iter().flatten() {
            let (mapping, details) = (draft.mapping_root, draft.details_root);
            let listing = read_devices_around(self.reader, mapping, details, self.watch)?;
            let roots = listing.devices.len();
            let side = Side { draft, listing, held, first_root };
            check.listing(&side);
            sides.push(side);
            first_root = first_root.saturating_add(roots);
        }
        if let Some(first) = sides.first() {
            check.devices = first.listing.devices.iter().map(|device| device.id).collect();
        }
        Ok(sides)
    }

    /// Walks all their trees.
    pub(super) fn walk(
        self,
        draft: &Draft,
        sides: &[Side<'_>],
        check: &mut Check,
    ) -> Result<Walked> {
        let devices = sides.iter().flat_map(|side| &side.listing.devices);
        let roots: Vec<_> = devices.map(|device| (device.id, device.root)).collect();
        let damage = Arc::new(Damage::default());
        let graph =
            Graph::build_with(self.reader, &roots, self.threads, self.watch, Some(&damage))?;
        let (leaves, data) = self.count(&graph, draft.data_blocks, &damage)?;
        let counts: Vec<u64> = leaves.iter().map(|leaf| leaf.mappings).collect();
        let gaps = graph.gaps(&damage, MAX_GAPS);
        let sums = graph.sum_up(&counts).into_iter().map(|(_, mappings)| mappings).collect();
        let mut counted = Counted { sums, gaps: vec![0; roots.len()] };
        for gap in &gaps.gaps {
            let slot = gap.root.and_then(|root| counted.gaps.get_mut(root));
            if let Some(slot) = slot {
                *slot = usize::saturating_add(*slot, 1);
            }
        }
        check.broken(&graph, &gaps.gaps, sides, &counted, gaps.more, &damage);
        for side in sides {
            check.devices(side, &counted, gaps.more > 0);
        }
        check.tell_future(&graph, &leaves, sides);
        check.nodes = widen(graph.nodes().len().saturating_add(graph.leaves().len()));
        check.mappings = sum(&counts);
        let is_listed = sides.iter().all(|side| {
            let listing = &side.listing;
            let has_root = side.draft.mapping_root.is_some();
            has_root && listing.lost_roots.is_empty() && listing.treeless.is_empty()
        });
        let knows_held = draft.is_held_known
            && (draft.held.is_none() || sides.iter().any(|side| side.held.is_some()));
        Ok(Walked { graph, data, is_whole: gaps.gaps.is_empty() && is_listed && knows_held })
    }

    /// Counts the mappings of each leaf, and how often each data block is mapped.
    fn count(
        self,
        graph: &Graph,
        data_blocks: u64,
        damage: &Arc<Damage>,
    ) -> Result<(Vec<Leaf>, Counts)> {
        let leaf_count = graph.leaves().len();
        let threads = threads(self.threads, leaf_count)?;
        self.watch.begin("checking mappings", widen(leaf_count));
        let most = widen(leaf_count).saturating_mul(MAX_ENTRIES);
        let tally = Tally::new(data_blocks, most);
        let positions: Vec<u32> = (0..).take(leaf_count).collect();
        let leaves = LeafReader {
            reader: self.reader,
            data_blocks,
            watch: self.watch,
            damage: Some(damage),
        };
        let shares = leaves.gather(
            graph,
            &positions,
            threads.as_ref(),
            |share| (Vec::with_capacity(share.len()), Vec::new()),
            |(found, list), _, leaf| {
                tally.add(leaf.mappings().map(|(_, block, _)| block.get()), list);
                let latest = leaf.mappings().map(|(_, _, time)| time).max().unwrap_or_default();
                found.push(Leaf { mappings: widen(leaf.len()), latest });
                Ok(())
            },
        )?;
        let mut found = Vec::with_capacity(leaf_count);
        for (share, list) in shares {
            found.extend(share);
            tally.put(list);
        }
        Ok((found, tally.counts()))
    }
}

impl Side<'_> {
    /// From the superblock to the root of the top-level tree or of the details tree.
    pub(super) fn path(&self, tree: &str, root: Option<MetadataBlock>) -> Vec<Step> {
        let mut path = vec![Step { name: "superblock".to_owned(), block: 0 }];
        let mut step = |name: &str, block: Option<MetadataBlock>| {
            let block = block.map(|block| u64::from(block.get()));
            path.extend(block.map(|block| Step { name: name.to_owned(), block }));
        };
        step("metadata snapshot", self.held);
        step(tree, root);
        path
    }

    fn has_root(&self, root: usize) -> bool {
        let behind = self.first_root.saturating_add(self.listing.devices.len());
        (self.first_root..behind).contains(&root)
    }
}

impl Check {
    /// Broken nodes of mapping trees, each with all devices that it is lost to.
    fn broken(
        &mut self,
        graph: &Graph,
        gaps: &[Gap],
        sides: &[Side<'_>],
        counted: &Counted,
        more: u64,
        damage: &Damage,
    ) {
        let mut known: HashMap<usize, Option<usize>> = HashMap::new();
        let mut found: Vec<Finding> = Vec::new();
        let mut untold = 0_u64;
        for gap in gaps {
            let Some(root) = gap.root else { continue };
            let Some(side) = sides.iter().find(|side| side.has_root(root)) else { continue };
            let at = *known.entry(identity(&gap.error)).or_insert_with(|| {
                if found.len() >= MAX_BROKEN {
                    untold = untold.saturating_add(1);
                    return None;
                }
                let mut finding = Finding::of_error("node", &gap.error);
                finding.path = path_of(graph, gap, root, side, finding.block);
                found.push(finding);
                Some(found.len().saturating_sub(1))
            });
            let Some(finding) = at.and_then(|at| found.get_mut(at)) else { continue };
            affect(finding, gap, side, counted.lost(root, side));
        }
        if let Some(last) = found.last_mut() {
            last.more_affected = last.more_affected.saturating_add(more);
        }
        // Where all that is below a node is broken, the gap is told with the first of it.
        for (_, error) in damage.all() {
            if known.contains_key(&identity(&error)) {
                continue;
            }
            if found.len() < MAX_BROKEN {
                found.push(Finding::of_error("node", &error));
            } else {
                untold = untold.saturating_add(1);
            }
        }
        self.collected.extend(found);
        if untold > 0 {
            let message = format!("{untold} more broken nodes of mapping trees");
            let finding = Finding::new("node", Severity::Damage, message);
            self.collected.push(Finding { count: untold, ..finding });
        }
    }

    /// Mappings with a time that the superblock has not come to.
    fn tell_future(&mut self, graph: &Graph, leaves: &[Leaf], sides: &[Side<'_>]) {
        let Some(live) = sides.first() else { return };
        let now = live.draft.time;
        // Who reaches them is found as it is of what is broken.
        let marked = Damage::default();
        let mut found: BTreeMap<usize, Finding> = BTreeMap::new();
        let mut known = HashMap::new();
        let mut untold = 0_u64;
        for (at, leaf) in (0_usize..).zip(leaves).filter(|(_, leaf)| leaf.latest > now) {
            let latest = leaf.latest;
            let Some(block) = graph.leaves().get(at).copied() else { continue };
            if found.len() >= MAX_BROKEN {
                untold = untold.saturating_add(1);
                continue;
            }
            let expected = format!("at most {now}");
            let message =
                format!("mappings of time {latest} in block {block}, but the pool's time is {now}");
            let finding = Finding::new("mapping-time", Severity::Damage, message);
            let finding = finding.at(block, Vec::new()).with("time", &expected, latest);
            let place = Place { block, structure: Structure::Node(Tree::Mapping) };
            let error = marked.note(block, place.corrupt("time", 0, expected, latest));
            known.insert(identity(&error), at);
            found.insert(at, finding);
        }
        if found.is_empty() {
            return;
        }
        for gap in graph.gaps(&marked, MAX_GAPS).gaps {
            let finding = known.get(&identity(&gap.error)).and_then(|at| found.get_mut(at));
            let (Some(finding), Some(root)) = (finding, gap.root) else { continue };
            let Some(side) = sides.iter().find(|side| side.has_root(root)) else { continue };
            if finding.path.is_empty() {
                finding.path = path_of(graph, &gap, root, side, finding.block);
            }
            affect(finding, &gap, side, None);
        }
        self.collected.extend(found.into_values());
        if untold > 0 {
            let message = format!("{untold} more leaves with mappings later than the pool's time");
            let finding = Finding::new("mapping-time", Severity::Damage, message);
            self.collected.push(Finding { count: untold, ..finding });
        }
    }
}

/// Names a device's range in a finding.
fn affect(finding: &mut Finding, gap: &Gap, side: &Side<'_>, mappings: Option<u64>) {
    if finding.affected.len() < MAX_AFFECTED {
        finding.affected.push(Affected {
            device: gap.device,
            in_metadata_snapshot: side.held.is_some(),
            range: gap.range,
            mappings,
        });
    } else {
        finding.more_affected = finding.more_affected.saturating_add(1);
    }
}

/// From the superblock down to the broken block.
fn path_of(
    graph: &Graph,
    gap: &Gap,
    root: usize,
    side: &Side<'_>,
    block: Option<u64>,
) -> Vec<Step> {
    let mut path = side.path("top-level tree", side.draft.mapping_root);
    let device = side.listing.devices.get(root.saturating_sub(side.first_root));
    let tree = device.map(|device| u64::from(device.root.get()));
    let tree_name = format!("mapping tree of device {}", gap.device);
    path.extend(tree.map(|block| Step { name: tree_name, block }));
    let spine = graph.spine(root, gap.range.first).into_iter().map(|node| u64::from(node.get()));
    for node in spine.chain(block) {
        if path.last().is_none_or(|last| last.block != node) {
            path.push(Step { name: "node".to_owned(), block: node });
        }
    }
    path
}
