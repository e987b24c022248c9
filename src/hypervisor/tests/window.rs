//! Where a guest's memory stands in QEMU's process, read from what QEMU and the kernel say.

use super::super::window::{address, is_private};

const MAPS: &str = "\
55d0c0a00000-55d0c0d00000 r--p 00000000 fe:00 1234                       /usr/bin/qemu-system-x86_64
55d0c2a00000-55d0c2b00000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000200000 rw-p 00000000 00:00 0
7f0000200000-7f0000400000 rw-p 00000000 00:00 0
7f0000400000-7f0000401000 ---p 00000000 00:00 0
7f0000500000-7f0000600000 rw-s 00000000 00:01 2049                       /memfd:memory (deleted)
7f0000600000-7f0000700000 r--p 00000000 00:00 0
7f0000700000-7f0000800000 rw-p 00000000 fe:00 77                         /var/lib/ram
";

#[test]
fn qemu_says_where_the_memory_is() {
    let said = "Host virtual address for 0x0 (pc.ram) is 0x7f565fe00000\r\n";
    assert_eq!(address(said), Some(("pc.ram".to_owned(), 0x7f56_5fe0_0000)));
    for other in [
        "",
        "No memory is mapped at address 0x0\r\n",
        "Memory at address 0x0is not RAM\r\n",
        "Host virtual address for 0x0 (pc.ram) is (nil)",
        "Host virtual address for 0x0 (pc.ram) is 0x0",
        "Host virtual address for 0x0 (pc.ram) is 0x7f565fe00001",
        "Host virtual address for 0x0 () is 0x7f565fe00000",
    ] {
        assert_eq!(address(other), None, "{other}");
    }
}

#[test]
fn only_memory_of_its_own_is_written() {
    for (wanted, is) in [
        (0x7f00_0000_0000..0x7f00_0040_0000, true),
        (0x7f00_0010_0000..0x7f00_0030_0000, true),
        (0x7f00_0000_0000..0x7f00_0040_1000, false),
        (0x7eff_ffff_f000..0x7f00_0010_0000, false),
        (0x7f00_0040_1000..0x7f00_0040_2000, false),
        (0x7f00_0050_0000..0x7f00_0060_0000, false),
        (0x7f00_0060_0000..0x7f00_0070_0000, false),
        (0x7f00_0070_0000..0x7f00_0080_0000, false),
        (0x55d0_c2a0_0000..0x55d0_c2b0_0000, false),
        (0x7fff_0000_0000..0x7fff_0000_1000, false),
    ] {
        assert_eq!(is_private(MAPS, &wanted), is, "{wanted:x?}");
    }
    assert!(!is_private("what is this", &(0..4096)));
}
