//! What a deletion would free is what it frees, whatever is deleted, also where several selections are asked about at once.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::open;
use super::sim::{Sim, checkpoint, volume};
use crate::engine::block::BlockDevice;
use crate::engine::types::Reference;
use proptest::prelude::*;
use std::collections::BTreeSet;

const MIB: u64 = 1 << 20;

/// Something that makes the tree of layers grow.
#[derive(Debug, Clone)]
enum Act {
    /// So many blocks of the volume's from there on.
    Write(u8, u64),
    /// Blocks are given up.
    Trim(u8),
    /// A checkpoint.
    Keep,
    /// The volume goes back to one that there is.
    Back(u8),
    /// Another volume stands on one that there is.
    Clone(u8),
    /// One goes, so that layers stand that nothing refers to.
    Drop(u8),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (any::<u8>(), 1..9_u64).prop_map(|(at, count)| Act::Write(at, count)),
        1 => any::<u8>().prop_map(Act::Trim),
        4 => Just(Act::Keep),
        2 => any::<u8>().prop_map(Act::Back),
        1 => any::<u8>().prop_map(Act::Clone),
        1 => any::<u8>().prop_map(Act::Drop),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_any_selection_would_free_is_what_it_frees(
        acts in proptest::collection::vec(act(), 4..40),
        chosen in any::<u64>(),
    ) {
        let sim = Sim::new(1);
        let pool = open(&sim).unwrap();
        pool.create_volume(volume(1), MIB).unwrap();
        let (mut kept, mut clones, mut next) = (Vec::new(), Vec::new(), 1_u8);
        for act in acts {
            let pick = |at: u8, of: &Vec<u8>| of.get(usize::from(at) % of.len().max(1)).copied();
            match act {
                Act::Write(at, count) => {
                    let lease = pool.lease(volume(1)).unwrap();
                    for block in 0..count {
                        let at = (u64::from(at) + block) % 64 * 4096;
                        lease.write_at(at, &[next; 4096], false).unwrap();
                    }
                    lease.flush().unwrap();
                }
                Act::Trim(at) => {
                    let lease = pool.lease(volume(1)).unwrap();
                    lease.trim(u64::from(at) % 60 * 4096, 4 * 4096, false).unwrap();
                    lease.flush().unwrap();
                }
                Act::Keep => {
                    pool.checkpoint(&[(volume(1), checkpoint(next))]).unwrap();
                    kept.push(next);
                    next += 1;
                }
                Act::Back(at) => {
                    if let Some(to) = pick(at, &kept) {
                        pool.rollback(volume(1), checkpoint(to)).unwrap();
                    }
                }
                Act::Clone(at) => {
                    if let Some(from) = pick(at, &kept) {
                        let id = 100 + next;
                        pool.clone_volume(volume(id), checkpoint(from)).unwrap();
                        clones.push(id);
                        next += 1;
                    }
                }
                Act::Drop(at) => {
                    if let Some(gone) = pick(at, &kept) {
                        pool.delete_checkpoint(checkpoint(gone)).unwrap();
                        kept.retain(|id| *id != gone);
                    }
                }
            }
        }
        pool.reclaim().unwrap();
        let all: Vec<Reference> = kept.iter().map(|id| Reference::Checkpoint(checkpoint(*id)))
            .chain(clones.iter().map(|id| Reference::Volume(volume(*id))))
            .collect();
        let some = |mask: u64| -> BTreeSet<Reference> {
            let chosen = all.iter().enumerate().filter(|(at, _)| mask >> (at % 64) & 1 == 1);
            chosen.map(|(_, reference)| *reference).collect()
        };
        let mut selections: Vec<BTreeSet<Reference>> = all.iter().map(|one| BTreeSet::from([*one])).collect();
        selections.push(some(chosen));
        selections.push(all.iter().copied().collect());
        let told = pool.reclaimable_each(&selections).unwrap();
        for (selection, told) in selections.iter().zip(&told) {
            let of: Vec<Reference> = selection.iter().copied().collect();
            prop_assert_eq!(pool.reclaimable(&of).unwrap(), *told);
        }
        // One selection can be tried: the one in the middle of the list, or the one that was drawn.
        let tried = if chosen % 2 == 0 { selections.len() - 2 } else { chosen as usize % selections.len() };
        for reference in &selections[tried] {
            match reference {
                Reference::Checkpoint(id) => pool.delete_checkpoint(*id).unwrap(),
                Reference::Volume(id) => pool.delete_volume(*id).unwrap(),
            }
        }
        prop_assert_eq!(pool.reclaim().unwrap().bytes, told[tried]);
    }
}
