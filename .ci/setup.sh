# shellcheck shell=bash
# What must be on the machine, and how it gets there: packages, the compiler, the browser half's tools, node modules.

tools=$target/tools

# What is needed, as command:package. Packages are only asked for when their command is missing, so that a newer tool
# that is already there (node from elsewhere, say) is left alone.
needs_build=(cc:build-essential brotli:brotli qemu-img:qemu-utils)
needs_test=(node:nodejs npm:npm chromium:chromium nbdcopy:libnbd-bin fio:fio fc-list:fontconfig
  /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf:fonts-dejavu-core)
needs_soak=(node:nodejs nbdcopy:libnbd-bin qemu-io:qemu-utils)
needs_bench=(node:nodejs fio:fio nbdkit:nbdkit restic:restic borg:borgbackup nbdcopy:libnbd-bin)

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# missing NEED…: the packages of those whose command (or file) is not there.
missing() {
  local need thing
  for need in "$@"; do
    thing=${need%:*}
    if [[ $thing == /* ]]; then [ -e "$thing" ] || echo "${need##*:}"; else have "$thing" || echo "${need##*:}"; fi
  done
}

# Says which packages are missing, waits for a person's Enter, installs them. Goes on when that cannot be done: each later
# step says what it cannot do.
bring_packages() {
  local wanted
  mapfile -t wanted < <(missing "$@")
  [ ${#wanted[@]} -gt 0 ] || { say "   nothing is missing"; return; }
  say "   Debian packages that are missing: ${wanted[*]}"
  if ! have apt-get || { [ "$(id -u)" != 0 ] && ! have sudo; }; then
    skip "cannot install (it takes apt-get, as root or with sudo): ${wanted[*]}"
  fi
  if [ -t 0 ] && [ "$yes" = no ]; then
    read -r -p "   Enter installs them, Ctrl-C stops here. " _
  fi
  export DEBIAN_FRONTEND=noninteractive
  as_root apt-get update -q >"$logs/apt.log" 2>&1 || true
  install_packages "${wanted[@]}" || { tail -n 5 "$logs/apt.log"; skip "apt-get failed (target/logs/apt.log): ${wanted[*]}"; }
  mapfile -t wanted < <(missing "$@")
  [ ${#wanted[@]} -eq 0 ] || skip "could not be installed: ${wanted[*]}"
}

# Never removes what is there: where a package would have to go for another one, that is a failure.
apt_install() { as_root apt-get install -q -y --no-install-recommends --no-remove "$@" >>"$logs/apt.log" 2>&1; }

# install_packages PACKAGE…: all of them; or, where QEMU is what cannot be installed, all but QEMU.
install_packages() {
  local version installed package others=()
  ! apt_install "$@" || return 0
  [[ " $* " == *" qemu-system-x86 "* ]] || return 1
  # QEMU's packages go together. A qemu-utils from elsewhere (backports, say) that is newer than the QEMU to be had here
  # stands in its way, and apt does not go back to an older version unless it is told to.
  version=$(apt-cache policy qemu-system-x86 | awk '$1 == "Candidate:" { print $2 }')
  installed=$(dpkg-query -W -f '${Version}' qemu-utils 2>/dev/null || true)
  if [ -n "$installed" ] && [ -n "$version" ] && [ "$installed" != "$version" ]; then
    say "   QEMU $version does not go with qemu-utils $installed, which is here: bringing qemu-utils to QEMU's version"
    ! apt_install --allow-downgrades "$@" "qemu-utils=$version" || return 0
  fi
  warn "   QEMU cannot be installed here (target/logs/apt.log): everything but instances will work"
  as_root apt-get install -q -y -f --no-remove >>"$logs/apt.log" 2>&1 || true
  for package; do [ "$package" = qemu-system-x86 ] || others+=("$package"); done
  [ ${#others[@]} -eq 0 ] || apt_install "${others[@]}"
}

# The first build writes about 6 GiB under target/ and one linker takes up to 2 GiB of memory.
check_machine() {
  local free_mib memory_mib needed_mib=8192
  [ -d "$target/debug" ] && needed_mib=2048
  free_mib=$(df -Pm "$root" | awk 'NR == 2 { print $4 }')
  memory_mib=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
  say "   $(nproc) processors, $memory_mib MiB of memory, $free_mib MiB of disk free"
  [ "$free_mib" -ge "$needed_mib" ] || { warn "   $needed_mib MiB of free disk are needed here"; return 1; }
  [ "$memory_mib" -ge 3072 ] || warn "   less than 3 GiB of memory is free: the build may be slow or be stopped"
}

version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }
rust_wanted() { awk -F'"' '/^rust-version/ { print $2 }' Cargo.toml; }

# Whether the compiler first on PATH is recent enough and has the library of the browser's target.
compiler_fits() {
  local found
  have cargo && found=$(rustc --version 2>/dev/null | awk '{ print $2 }') && version_at_least "$found" "$(rust_wanted)"
}
compiler_has_browser_target() {
  local files
  files=("$(rustc --print sysroot)"/lib/rustlib/wasm32-unknown-unknown/lib/libcore-*.rlib)
  [ -e "${files[0]}" ]
}

# One compiler for both halves. Rustup's, where it can fetch the browser's target; otherwise Debian's own packages, with
# the target's standard library built once from their source.
bring_compiler() {
  if ! compiler_fits && have rustup; then
    rustup update --no-self-update stable || true
  fi
  if compiler_fits && { compiler_has_browser_target || rustup target add wasm32-unknown-unknown; }; then
    have cargo-clippy && have cargo-fmt || rustup component add clippy rustfmt || true
    rm -f "$stamps/debian-compiler"
  else
    say "   rustup has no Rust $(rust_wanted) with the target wasm32-unknown-unknown here: trying Debian's packages"
    bring_debian_compiler
    touch "$stamps/debian-compiler"
    use_compiler
  fi
  rustc --version
}

bring_debian_compiler() {
  local std=/usr/lib/rustlib/wasm32-unknown-unknown/lib work=$tools/std libraries
  (bring_packages /usr/bin/rustc:rustc-web /usr/bin/cargo:cargo-web \
    /usr/lib/rustlib/src/rust:rust-web-src wasm-ld:lld) || true
  PATH=/usr/bin:$PATH compiler_fits ||
    { warn "   no compiler that fits could be found: install Rust $(rust_wanted) or newer, with rustup"; return 1; }
  [ -z "$(find "$std" -name 'libcore-*.rlib' 2>/dev/null)" ] || return 0
  mkdir -p "$work/src"
  printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n[profile.release]\npanic = "abort"\n' >"$work/Cargo.toml"
  echo '#![no_std]' >"$work/src/lib.rs"
  # This flag is for the library alone; the project itself is built as anywhere else.
  (cd "$work" && PATH=/usr/bin:$PATH RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$work/target /usr/bin/cargo build --release \
    --target wasm32-unknown-unknown -Zbuild-std=std,panic_abort,proc_macro,test)
  mapfile -t libraries < <(find "$work/target/wasm32-unknown-unknown/release/deps" -name '*.rlib' ! -name 'libempty*')
  as_root mkdir -p "$std"
  as_root cp -t "$std" "${libraries[@]}"
  rm -rf "$work"
}

# What bring_compiler decided holds for the rest of the run.
use_compiler() {
  local linker
  export PATH=$tools/bin:$PATH
  [ -e "$stamps/debian-compiler" ] || return 0
  export PATH=/usr/bin:$PATH
  linker=$(find "${RUSTUP_HOME:-$HOME/.rustup}/toolchains" -name rust-lld -type f 2>/dev/null | head -n 1)
  export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=${linker:-wasm-ld}
}

# wasm-bindgen's two halves speak a private language: the program must have the version of the library exactly.
bring_wasm_bindgen() {
  local version
  version=$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/[^0-9.]/, ""); print; exit }' Cargo.lock)
  if have wasm-bindgen && [ "$(wasm-bindgen --version | awk '{ print $2 }')" = "$version" ]; then
    say "   wasm-bindgen $version is there"
    return
  fi
  # Less optimised than its default: it builds faster, and runs for a second.
  CARGO_TARGET_DIR=$tools/build CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_DEBUG=false \
    "$cargo" install --quiet --root "$tools" --version "$version" wasm-bindgen-cli
  rm -rf "$tools/build"
}

# The object store that ./dev soak uses: a release of Garage, from crates.io. Takes some ten minutes, once.
garage_version=2.5.0
bring_garage() {
  if [ -x "$tools/bin/garage" ] && stamped garage "$garage_version"; then
    say "   garage $garage_version is there"
    return
  fi
  CARGO_TARGET_DIR=$tools/build CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_DEBUG=false CARGO_PROFILE_RELEASE_LTO=off \
    "$cargo" install --quiet --locked --root "$tools" --version "$garage_version" --no-default-features --features bundled-libs,sqlite garage
  rm -rf "$tools/build"
  stamp garage "$garage_version"
}

# Node modules of the browser tests, exactly as locked. Playwright's own browsers are not fetched: Debian's is used.
bring_node_modules() {
  local inputs
  have npm || skip "npm is missing"
  inputs=$(digest end2end/package.json end2end/package-lock.json)
  if [ -d end2end/node_modules ] && stamped node-modules "$inputs"; then
    say "   the modules are there"
    return
  fi
  (cd end2end && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error)
  stamp node-modules "$inputs"
}
