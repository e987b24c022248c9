//! Recovery points: what one is, and the tree they make.
//!
//! Each point has a parent or is a root; the instance has a *current* point, the one its running state descends from. A
//! point that is removed hands its children to its parent. The tree is drawn depth first, children by age; a lane is
//! opened only at a branch: the child that leads to the present (else the youngest) goes on in its parent's lane and is
//! drawn last, its siblings' subtrees stand before it, each in a lane of its own. The present itself is the last child of
//! the current point: it has no place of its own in the drawing, but its lane passes whatever else descends from there.
//!
//! ```text
//!  Creating ──Kept──▶ Ready ──DeleteAsked──▶ Deleting ──▶ (gone)
//!     └──Broke──▶ (gone: a point that was not made never was)
//! ```

use super::id::PointId;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// See the diagram at the head of this module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PointState {
    /// It is being made.
    Creating,
    /// The instance can be brought back to it.
    #[default]
    Ready,
    /// It is being removed.
    Deleting,
}

/// Why a point is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PointKind {
    /// A member made it.
    #[default]
    Made,
    /// A rollback made it first, so that it can be undone; it expires by itself.
    Safety,
}

/// What state the disks of a point are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// The instance was stopped.
    Stopped,
    /// The guest agent had its file systems frozen.
    Frozen,
    /// As after a power cut: what the guest had flushed is there.
    PowerCut,
    /// The memory of the same instant is kept beside them: the guest goes on from there.
    Memory,
}

/// How the memory of a guest that runs is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryWay {
    /// It stands for a moment and runs on while its memory is written.
    Running,
    /// It stands until its memory is written.
    Standing,
}

/// How long a rollback can be undone, in milliseconds: seven days.
pub const UNDO_MS: i64 = 7 * 24 * 3600 * 1000;

/// A point, as far as the tree needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: PointId,
    /// The point it descends from.
    pub parent: Option<PointId>,
    /// When it was made, in milliseconds since 1970.
    pub at: i64,
}

/// Where a point stands in the drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its id.
    pub id: PointId,
    /// Its lane, from 0; also how far it is set in.
    pub lane: u32,
    /// How many ancestors it has.
    pub depth: u32,
    /// Whether the current state descends from it.
    pub on_path: bool,
    /// The lane of its parent; none for a root.
    pub parent_lane: Option<u32>,
    /// The lanes that pass this row without touching its point (ancestors with children still to come below).
    pub passing: Vec<u32>,
    /// Whether a child, or the present, follows in its own lane.
    pub goes_on: bool,
    /// Number of children.
    pub children: u32,
}

/// The drawing of a tree: every point exactly once, a parent always before its children. Unknown parents count as none,
/// and a circle (which the catalog never writes) is cut: nothing is lost, nothing loops.
#[must_use]
pub fn drawing(points: &[Node], current: Option<PointId>) -> Vec<Placed> {
    let by_id: HashMap<PointId, &Node> = points.iter().map(|node| (node.id, node)).collect();
    let mut path = Vec::new();
    let mut next = current;
    while let Some(node) = next.and_then(|id| by_id.get(&id)) {
        if path.contains(&node.id) {
            break;
        }
        path.push(node.id);
        next = node.parent;
    }
    let mut children: HashMap<Option<PointId>, Vec<&Node>> = HashMap::new();
    for node in points {
        let parent = node.parent.filter(|parent| by_id.contains_key(parent));
        children.entry(parent).or_default().push(node);
    }
    for list in children.values_mut() {
        list.sort_by_key(|node| (path.contains(&node.id), node.at, node.id));
    }
    let mut placed: Vec<Placed> = Vec::with_capacity(points.len());
    let mut seen = std::collections::HashSet::new();
    // A stack of what is still to be drawn: point (none: the present), lane, depth, parent's lane.
    let mut rest: Vec<(Option<&Node>, u32, u32, Option<u32>)> = Vec::new();
    let roots = children.get(&None).cloned().unwrap_or_default();
    let mut starts: Vec<&Node> = roots;
    // Members of a circle have no root: each circle is entered at its oldest point.
    let mut others: Vec<&Node> = points.iter().collect();
    others.sort_by_key(|node| (node.at, node.id));
    starts.extend(others);
    for start in starts {
        if seen.contains(&start.id) {
            continue;
        }
        rest.push((Some(start), 0, 0, None));
        while let Some((node, lane, depth, parent_lane)) = rest.pop() {
            let Some(node) = node.filter(|node| seen.insert(node.id)) else {
                continue;
            };
            let is_current = current == Some(node.id);
            let below = children.get(&Some(node.id)).cloned().unwrap_or_default();
            let below: Vec<&Node> = below
                .into_iter()
                .filter(|child| !seen.contains(&child.id))
                .collect();
            let mut passing: Vec<u32> = rest
                .iter()
                .filter_map(|(_, _, _, from)| *from)
                .filter(|from| *from != lane && Some(*from) != parent_lane)
                .collect();
            // The parent's lane passes behind a branch when the parent has another child still to come.
            if let Some(from) = parent_lane
                && from != lane
                && rest.iter().any(|(_, _, _, other)| *other == Some(from))
            {
                passing.push(from);
            }
            passing.sort_unstable();
            passing.dedup();
            placed.push(Placed {
                id: node.id,
                lane,
                depth,
                on_path: path.contains(&node.id),
                parent_lane,
                passing,
                goes_on: is_current || !below.is_empty(),
                children: u32::try_from(below.len()).unwrap_or(u32::MAX),
            });
            // The last child keeps the lane; those before it branch off to the right. Pushed in reverse: the stack gives
            // the first one back first.
            let mut below: Vec<Option<&Node>> = below.into_iter().map(Some).collect();
            if is_current {
                below.push(None);
            }
            if let Some((last, branches)) = below.split_last() {
                rest.push((*last, lane, depth + 1, Some(lane)));
                for branch in branches.iter().rev() {
                    rest.push((*branch, lane + 1, depth + 1, Some(lane)));
                }
            }
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(number: u8) -> PointId {
        PointId::from_bytes([number; 16])
    }

    fn node(number: u8, parent: Option<u8>) -> Node {
        Node {
            id: id(number),
            parent: parent.map(id),
            at: i64::from(number),
        }
    }

    #[test]
    fn a_lane_is_opened_only_at_a_branch_and_the_path_goes_on_in_its_own() {
        // initial, hardened, trial (branch) with two children, before (on the path).
        let points = [
            node(1, None),
            node(2, Some(1)),
            node(3, Some(2)),
            node(4, Some(3)),
            node(5, Some(3)),
            node(6, Some(2)),
        ];
        let drawn = drawing(&points, Some(id(6)));
        let told: Vec<_> = drawn
            .iter()
            .map(|place| (place.id, place.lane, place.on_path))
            .collect();
        assert_eq!(
            told,
            [
                (id(1), 0, true),
                (id(2), 0, true),
                (id(3), 1, false),
                (id(4), 2, false),
                (id(5), 1, false),
                (id(6), 0, true)
            ]
        );
        let passing: Vec<_> = drawn.iter().map(|place| place.passing.clone()).collect();
        assert_eq!(
            passing,
            [vec![], vec![], vec![0], vec![0, 1], vec![0], vec![]]
        );
    }

    #[test]
    fn the_present_keeps_the_lane_of_the_point_it_descends_from() {
        // Rolled back to 2, from which 3 (the way not taken any more) and 4 (a safety point) descend.
        let points = [
            node(1, None),
            node(2, Some(1)),
            node(3, Some(2)),
            node(4, Some(2)),
        ];
        let drawn = drawing(&points, Some(id(2)));
        let told: Vec<_> = drawn
            .iter()
            .map(|place| (place.id, place.lane, place.goes_on, place.passing.clone()))
            .collect();
        assert_eq!(
            told,
            [
                (id(1), 0, true, vec![]),
                (id(2), 0, true, vec![]),
                (id(3), 1, false, vec![0]),
                (id(4), 1, false, vec![0]),
            ]
        );
    }

    proptest! {
        #[test]
        fn every_point_is_drawn_once_after_its_parent(parents in proptest::collection::vec(any::<u8>(), 1..60), current in any::<u8>()) {
            let count = parents.len();
            let points: Vec<Node> = parents
                .iter()
                .enumerate()
                .map(|(number, parent)| {
                    // Any parent at all, itself and unknown ones included: circles happen.
                    let parent = (*parent % 3 != 0).then(|| *parent as usize % (count + 2));
                    node(number as u8, parent.map(|parent| parent as u8))
                })
                .collect();
            let drawn = drawing(&points, Some(id(current)));
            let mut ids: Vec<_> = drawn.iter().map(|place| place.id).collect();
            ids.sort();
            ids.dedup();
            prop_assert_eq!(ids.len(), count);
            prop_assert_eq!(drawn.len(), count);
        }

        #[test]
        fn in_a_tree_a_parent_stands_above_and_a_lane_is_never_used_twice_at_once(parents in proptest::collection::vec(any::<u8>(), 1..60), current in any::<u8>()) {
            let points: Vec<Node> = parents
                .iter()
                .enumerate()
                .map(|(number, parent)| node(number as u8, (number > 0).then(|| (*parent as usize % number) as u8)))
                .collect();
            let drawn = drawing(&points, Some(id(current)));
            for (row, place) in drawn.iter().enumerate() {
                let parent = points.iter().find(|node| node.id == place.id).and_then(|node| node.parent);
                if let Some(parent) = parent {
                    let above = drawn.iter().position(|other| other.id == parent);
                    prop_assert!(above.is_some_and(|above| above < row));
                    prop_assert_eq!(above.map(|above| drawn[above].lane), place.parent_lane);
                }
                prop_assert!(!place.passing.contains(&place.lane));
            }
        }
    }
}
