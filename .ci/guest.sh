# shellcheck shell=bash
# The sample guest: a small real Linux on a disk of its own, made from Debian's packages without mounting anything and
# without installing them here. Its result is the raw, sparse image target/guest/reprise-guest.img. What it does once it
# runs is in .ci/guest/: init, and counter.rs, which it counts with.

guest=$target/guest
guest_image=$guest/reprise-guest.img
needs_guest=(qemu-system-x86_64:qemu-system-x86 syslinux:syslinux /usr/lib/syslinux/mbr/mbr.bin:syslinux-common
  mcopy:mtools mkfs.fat:dosfstools sfdisk:fdisk mke2fs:e2fsprogs)
# The tools that make file systems are in a folder that not everyone has on PATH.
PATH=$PATH:/usr/sbin:/sbin

# In sectors of 512 bytes: the disk, its first partition (FAT: boot loader, kernel, first file system), its second (ext4).
guest_sectors=327680 boot_start=2048 boot_sectors=98304 data_start=100352

# The Debian packages that the guest is made of, as name=version: the kernel, the agent, the file systems' tools, the
# libraries these two need, and a busybox that needs none.
guest_packages() {
  local kernel name
  kernel=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '$1 == "Depends:" && /cloud-amd64$/ { print $2; exit }')
  [ -n "$kernel" ] || return 1
  {
    printf '%s\n' "$kernel" qemu-guest-agent e2fsprogs busybox-static
    apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
      qemu-guest-agent e2fsprogs | grep '^lib' | grep -v perl
  } | LC_ALL=C sort -u | while read -r name; do
    printf '%s=%s\n' "$name" "$(apt-cache policy "$name" | awk '$1 == "Candidate:" { print $2 }')"
  done
}

fetch_guest_packages() {
  mkdir -p "$guest/packages"
  # Into a folder that apt's own user may write to where this one may not.
  (cd "$guest/packages" && apt-get download -q "$@" >"$logs/guest-apt.log" 2>&1)
}

build_guest() {
  local packages sources inputs package root=$guest/root
  [ "$(uname -m)" = x86_64 ] || skip "the sample guest is for x86-64"
  have apt-get || skip "real guest: it is made from Debian's packages, and there is no apt here"
  mapfile -t packages < <(missing "${needs_guest[@]:1}")
  [ ${#packages[@]} -eq 0 ] || skip "real guest: these packages are missing: ${packages[*]}"
  have rustc || skip "real guest: there is no rustc"
  sources=$(digest .ci/guest .ci/guest.sh)
  mapfile -t packages < <(guest_packages)
  if [ ${#packages[@]} -eq 0 ] || ! { inputs="$sources ${packages[*]}"; stamped_guest "$inputs" || fetch_guest_packages "${packages[@]}"; }; then
    say "   apt does not know the packages, or no longer has them: asking it for its lists again"
    as_root apt-get update -q >"$logs/guest-apt.log" 2>&1 || true
    mapfile -t packages < <(guest_packages)
    inputs="$sources ${packages[*]}"
    if [ ${#packages[@]} -eq 0 ] || ! fetch_guest_packages "${packages[@]}"; then
      tail -n 3 "$logs/guest-apt.log"
      # What an older archive gave is as good, if it was made from the same sources.
      if [ -e "$guest_image" ] && [[ $(cat "$stamps/guest") == "$sources "* ]]; then
        say "   the packages cannot be fetched: the image that is there is kept"
        return
      fi
      skip "real guest: its packages could not be fetched (target/logs/guest-apt.log)"
    fi
  fi
  if stamped_guest "$inputs"; then
    say "   nothing it is made of has changed"
    return
  fi
  rm -rf "$root" "$guest"/*.img
  mkdir -p "$root"
  for package in "$guest"/packages/*.deb; do dpkg -x "$package" "$root"; done
  rm -rf "$guest/packages"
  rustc --edition 2024 -C target-feature=+crt-static -C strip=symbols -D warnings -O \
    -o "$guest/counter" .ci/guest/counter.rs
  guest_initrd "$root"
  guest_disk "$root"
  rm -rf "$root" "$guest/initrd" "$guest/counter"
  try_guest
  mv "$guest/new.img" "$guest_image"
  stamp guest "$inputs"
  note "$(du -k --apparent-size "$guest_image" | awk '{ print int($1 / 1024) }') MiB, $(du -k "$guest_image" | awk '{ print int($1 / 1024) }') of them used"
}

# Says to the server and to the tests where the image is; fails where guests cannot run.
offer_guest() {
  have qemu-system-x86_64 && [ -e "$guest_image" ] || return 1
  export REPRISE_DEMO_TEMPLATE=$guest_image REPRISE_GUEST_IMAGE=$guest_image
}

stamped_guest() { [ -e "$guest_image" ] && stamped guest "$1"; }

# guest_initrd ROOT: the whole system of the guest, as one archive that the kernel unpacks into memory.
guest_initrd() {
  local root=$1 tree=$1/initrd module program library
  mkdir -p "$tree"/{bin,sbin,lib64,modules,proc,sys,dev,run,data,data2,etc/acpi/PWRF}
  cp "$root/bin/busybox" "$tree/bin/"
  "$tree/bin/busybox" --list | grep -vx busybox | while read -r program; do ln -s busybox "$tree/bin/$program"; done
  cp "$root/usr/sbin/qemu-ga" "$root/sbin/mke2fs" "$root/sbin/e2fsck" "$tree/sbin/"
  # The loader itself says what they need, from what was unpacked alone.
  local folders=$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu
  cp -L "$root/lib64/ld-linux-x86-64.so.2" "$tree/lib64/"
  for program in qemu-ga mke2fs e2fsck; do
    "$root/lib64/ld-linux-x86-64.so.2" --library-path "$folders" --list "$tree/sbin/$program"
  done | awk '$2 == "=>" { print $3 }' | sort -u | while read -r library; do
    [ -e "$library" ] || { warn "   a library of the guest is missing: $library"; exit 1; }
    cp -L "$library" "$tree/lib64/"
  done
  ln -s lib64 "$tree/lib"
  cp "$guest/counter" "$tree/bin/"
  while read -r module; do
    find "$root/lib/modules" -name "$module.ko" -exec cp {} "$tree/modules/" \;
    [ -e "$tree/modules/$module.ko" ] || { warn "   the kernel has no module $module"; return 1; }
  done <.ci/guest/modules
  cp .ci/guest/modules "$tree/modules/order"
  # busybox runs PWRF/00000080 when the power button is pressed; the agent runs shutdown.
  cp .ci/guest/init "$tree/init"
  cp .ci/guest/shutdown "$tree/sbin/shutdown"
  ln -s /sbin/shutdown "$tree/etc/acpi/PWRF/00000080"
  chmod 755 "$tree/init" "$tree/sbin/shutdown"
  (cd "$tree" && find . | LC_ALL=C sort | "$root/bin/busybox" cpio -o -H newc -R 0:0 2>/dev/null) | gzip -9 -n >"$guest/initrd"
}

# guest_disk ROOT: the disk, in new.img.
guest_disk() {
  local boot=$guest/boot.img data=$guest/data.img disk=$guest/new.img
  truncate -s $((boot_sectors * 512)) "$boot"
  # The boot sector has to know how many sectors lie before its partition.
  mkfs.fat -F 16 -n BOOT -h "$boot_start" "$boot" >/dev/null
  mcopy -i "$boot" "$1"/boot/vmlinuz-* ::vmlinuz
  mcopy -i "$boot" "$guest/initrd" ::initrd
  mcopy -i "$boot" .ci/guest/syslinux.cfg ::syslinux.cfg
  truncate -s $(((guest_sectors - data_start) * 512)) "$data"
  mke2fs -q -t ext4 -L data -E root_owner=0:0 "$data"
  truncate -s $((guest_sectors * 512)) "$disk"
  printf 'label: dos\nstart=%s,size=%s,type=6,bootable\nstart=%s,type=83\n' "$boot_start" "$boot_sectors" "$data_start" |
    sfdisk -q "$disk"
  dd if="$boot" of="$disk" bs=1M seek=$((boot_start / 2048)) conv=notrunc,sparse status=none
  dd if="$data" of="$disk" bs=1M seek=$((data_start / 2048)) conv=notrunc,sparse status=none
  syslinux --install --offset $((boot_start * 512)) "$disk"
  dd if=/usr/lib/syslinux/mbr/mbr.bin of="$disk" bs=440 count=1 conv=notrunc status=none
  rm "$boot" "$data"
}

# Boots a copy of new.img that is thrown away, waits until it counts, and presses its power button.
try_guest() {
  local begun serial=$guest/serial.log pid
  have qemu-system-x86_64 || { say "   not booted: there is no QEMU"; return; }
  rm -f "$serial" "$guest/monitor"
  mkfifo "$guest/monitor"
  begun=$(date +%s%N)
  qemu-system-x86_64 -nodefaults -no-user-config -display none -machine pc -accel tcg -cpu qemu64 -m 256 -no-reboot -snapshot \
    -drive "file=$guest/new.img,format=raw,if=virtio" -serial "file:$serial" -monitor stdio \
    <"$guest/monitor" >"$logs/guest-qemu.log" 2>&1 &
  pid=$!
  exec 9>"$guest/monitor"
  wait_for_guest "$pid" '^tick ' "$serial"
  say "   it counts $(($(($(date +%s%N) - begun)) / 1000000)) ms after power on (emulated processor)"
  echo system_powerdown >&9
  wait_for_guest "$pid" '^unmounted /data' "$serial"
  wait "$pid"
  exec 9>&-
  rm -f "$guest/monitor" "$serial"
}

wait_for_guest() {
  local end=$((SECONDS + 120))
  until grep -qa "$2" "$3" 2>/dev/null; do
    if ! kill -0 "$1" 2>/dev/null || [ "$SECONDS" -gt "$end" ]; then
      kill "$1" 2>/dev/null || true
      warn "   the guest did not say $2:"
      tail -n 20 "$3" "$logs/guest-qemu.log" >&2
      return 1
    fi
    sleep 0.1
  done
}
