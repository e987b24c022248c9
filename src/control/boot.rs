//! Whether a machine with a BIOS can start from a disk, by its first sector.
//!
//! The layout is that of the master boot record: code in the first 440 bytes, four entries of 16 bytes from 446 (the
//! type is the fifth byte of each), the mark 55 AA at 510. A GPT disk has one entry of type EE there (UEFI
//! specification, "Protective MBR"); a boot loader for a BIOS puts its code before it all the same.

use crate::domain::fault::Fault;

/// Bytes of a disk that [`check`] looks at.
pub(super) const HEAD: usize = 512;

const CODE: std::ops::Range<usize> = 0..440;
const ENTRIES: usize = 446;
const ENTRY: usize = 16;
const TYPE_IN_ENTRY: usize = 4;
const MARK: std::ops::Range<usize> = 510..512;
/// The protective entry of a GPT disk.
const GPT: u8 = 0xee;
/// An EFI system partition on a disk without GPT.
const EFI: u8 = 0xef;

/// Whether there is something to start from. What only the guest's own code can tell is not looked for.
///
/// # Errors
/// [`Fault::NotBootable`], [`Fault::NeedsUefi`], about `name`.
pub(super) fn check(head: &[u8], name: &str) -> Result<(), Fault> {
    let name = || name.to_owned();
    if head.get(MARK) != Some(&[0x55, 0xaa]) {
        return Err(Fault::NotBootable { name: name() });
    }
    let code = head.get(CODE).unwrap_or_default();
    if code.iter().any(|byte| *byte != 0) {
        return Ok(());
    }
    let types = (0..4).filter_map(|entry| head.get(ENTRIES + entry * ENTRY + TYPE_IN_ENTRY));
    if types.copied().any(|kind| kind == GPT || kind == EFI) {
        return Err(Fault::NeedsUefi { name: name() });
    }
    Err(Fault::NotBootable { name: name() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sector(code: &[u8], kind: u8) -> Vec<u8> {
        let mut sector = vec![0; HEAD];
        sector[..code.len()].copy_from_slice(code);
        // The disk's signature is not code.
        sector[440..444].copy_from_slice(&[1, 2, 3, 4]);
        sector[ENTRIES + ENTRY + TYPE_IN_ENTRY] = kind;
        sector[MARK].copy_from_slice(&[0x55, 0xaa]);
        sector
    }

    fn not_bootable() -> Result<(), Fault> {
        Err(Fault::NotBootable {
            name: "r".to_owned(),
        })
    }

    #[test]
    fn a_disk_with_boot_code_can_be_started() {
        assert_eq!(check(&sector(&[0xeb, 0xfe], 0x83), "r"), Ok(()));
        assert_eq!(check(&sector(&[0xeb, 0xfe], 0), "r"), Ok(()));
    }

    #[test]
    fn gpt_with_a_loader_for_a_bios_can_be_started_and_without_needs_uefi() {
        assert_eq!(check(&sector(&[0xeb, 0x63], GPT), "r"), Ok(()));
        for kind in [GPT, EFI] {
            assert_eq!(
                check(&sector(&[], kind), "r"),
                Err(Fault::NeedsUefi {
                    name: "r".to_owned()
                })
            );
        }
    }

    #[test]
    fn nothing_to_start_from() {
        assert_eq!(check(&sector(&[], 0x83), "r"), not_bootable());
        let mut unmarked = sector(&[0xeb, 0xfe], 0x83);
        unmarked[511] = 0;
        assert_eq!(check(&unmarked, "r"), not_bootable());
        for short in [0, 100, 511] {
            assert_eq!(check(&sector(&[0xeb], 0)[..short], "r"), not_bootable());
        }
        assert_eq!(check(&[0; HEAD], "r"), not_bootable());
    }
}
