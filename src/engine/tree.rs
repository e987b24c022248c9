//! Which blocks of which layer anybody needs: pure set algebra on a tree of layers.
//!
//! ```text
//! needed(L) = all of L                            if L is referenced
//!             ∪ over children c of (L \ cover(c))  else
//! cover(c)  = c ∪ (∅                              if c is referenced,
//!                  ∩ over children of cover        else; an empty intersection is everything)
//! ```
//! Of an open layer only the blocks under a synced mark may stand in a cover: a power loss takes the others back, and
//! then what lies below is needed again. An open layer counts as referenced.

use crate::engine::format::LayerId;
use roaring::RoaringBitmap;
use std::collections::BTreeMap;

/// A layer of the tree.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) parent: Option<LayerId>,
    /// The blocks it holds, data or zeros, that survive a power loss.
    pub(crate) holds: RoaringBitmap,
    /// A checkpoint, an open checkpoint or a volume is this layer's content.
    pub(crate) referenced: bool,
}

/// What of a layer is needed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Needed {
    All,
    Only(RoaringBitmap),
}

/// What is needed of each layer. A parent's id is smaller than its children's.
pub(crate) fn needed(tree: &BTreeMap<LayerId, Node>) -> BTreeMap<LayerId, Needed> {
    // Of the children seen so far: the union of what they leave uncovered, and the intersection of their covers.
    struct Above {
        uncovered: RoaringBitmap,
        common: RoaringBitmap,
    }
    let mut above: BTreeMap<LayerId, Above> = BTreeMap::new();
    let mut result = BTreeMap::new();
    for (id, node) in tree.iter().rev() {
        let mine = above.remove(id);
        // None: it covers everything, having nobody who reads.
        let cover = if node.referenced {
            result.insert(*id, Needed::All);
            Some(node.holds.clone())
        } else {
            let (uncovered, common) = mine.map_or((RoaringBitmap::new(), None), |above| {
                (above.uncovered, Some(above.common))
            });
            result.insert(*id, Needed::Only(uncovered));
            common.map(|common| common | &node.holds)
        };
        let (Some(parent), Some(cover)) = (node.parent, cover) else {
            continue;
        };
        let Some(below) = tree.get(&parent) else {
            continue;
        };
        let uncovered = &below.holds - &cover;
        match above.get_mut(&parent) {
            Some(above) => {
                above.uncovered |= uncovered;
                above.common &= cover;
            }
            None => drop(above.insert(
                parent,
                Above {
                    uncovered,
                    common: cover,
                },
            )),
        }
    }
    result
}

/// The part of `blocks` that is needed.
pub(crate) fn part(blocks: &RoaringBitmap, needed: Option<&Needed>) -> RoaringBitmap {
    match needed {
        Some(Needed::Only(only)) => blocks & only,
        // A layer nobody asked about is not touched.
        Some(Needed::All) | None => blocks.clone(),
    }
}
