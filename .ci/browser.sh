# shellcheck shell=bash
# The browser half: compiled for size, bound, compressed, and held to its budget. Its result is target/site.

site=$target/site
budget_bytes=$((350 * 1024))
first_visit_bytes=$((500 * 1024))

# Everything the browser half is made of: the rooms that src/lib.rs compiles without the server's feature, and what is
# drawn or read beside them.
browser_inputs() {
  local rooms
  mapfile -t rooms < <(awk '
    /^#\[cfg\(feature = "ssr"\)\]/ || /^#\[cfg\(test\)\]/ { server = 1; next }
    /^pub mod [a-z_]+;/ && !server { sub(";", "", $3); print "src/" $3 }
    { server = 0 }' src/lib.rs)
  local room paths=(Cargo.toml Cargo.lock i18n.toml .ci/browser.sh src/build.rs src/lib.rs style public locales)
  for room in "${rooms[@]}"; do
    if [ -d "$room" ]; then paths+=("$room"); else paths+=("$room.rs"); fi
  done
  printf '%s ' "$(digest "${paths[@]}")" "$(rustc --version | cut -d' ' -f2)"
}

build_browser() {
  local inputs out=$target/site.new
  inputs=$(browser_inputs)
  if [ -d "$site/pkg" ] && stamped browser "$inputs"; then
    say "   nothing it is made of has changed"
    return
  fi
  "$cargo" build --lib --target wasm32-unknown-unknown --profile wasm-release --no-default-features --features hydrate
  rm -rf "$out"
  mkdir -p "$out/pkg"
  cp -r public/. "$out/"
  # No wasm-opt after this: its output is smaller, but 6 % larger once compressed, and Debian's version numbers exported
  # tables wrongly, so that the page never comes alive.
  wasm-bindgen --target web --no-typescript --remove-name-section --remove-producers-section \
    --out-name reprise --out-dir "$out/pkg" "$target/wasm32-unknown-unknown/wasm-release/reprise.wasm"
  LC_ALL=C bash -c 'cat style/*.css' >"$out/pkg/reprise.css"
  find "$out" -type f \( -name '*.wasm' -o -name '*.js' -o -name '*.css' -o -name '*.svg' \) -print0 |
    while IFS= read -r -d '' file; do
      gzip -9 -k -n "$file"
      if have brotli; then brotli -q 11 -k "$file"; fi
    done
  rm -rf "$site"
  mv "$out" "$site"
  stamp browser "$inputs"
}

# What a reader's browser has to fetch. More than the budget is an error: it never shrinks by itself.
check_browser_budget() {
  local file size wasm visit
  [ -e "$site/pkg/reprise_bg.wasm.br" ] || skip "brotli is missing: the size cannot be told"
  for file in reprise_bg.wasm reprise.js reprise.css; do
    size=$(stat -c %s "$site/pkg/$file.br")
    printf '   %-16s %7d bytes, brotli %6d\n' "$file" "$(stat -c %s "$site/pkg/$file")" "$size"
  done
  wasm=$(stat -c %s "$site/pkg/reprise_bg.wasm.br")
  visit=$(first_visit)
  note "$(((wasm + 1023) / 1024)) KiB of $((budget_bytes / 1024)) KiB, brotli; first visit without its page $(((visit + 1023) / 1024)) KiB of $((first_visit_bytes / 1024)) KiB"
  [ "$visit" -le "$first_visit_bytes" ] || { warn "   a first visit is $((visit - first_visit_bytes)) bytes over its budget"; return 1; }
  [ "$wasm" -le "$budget_bytes" ] || { warn "   the browser half is $((wasm - budget_bytes)) bytes over its budget"; return 1; }
}

# Bytes that a browser which was never here fetches for a page: the browser half, the style, the font and the words of one
# language. The words are counted as their source, of which the sheet that is sent is a part. The page itself is not in it:
# end2end/tests/costs.spec.ts counts all that goes over the wire.
first_visit() {
  local file size words=0 sum
  sum=$(stat -c %s public/fonts/inter-latin.woff2)
  for file in reprise_bg.wasm reprise.js reprise.css; do
    sum=$((sum + $(stat -c %s "$site/pkg/$file.br")))
  done
  for file in locales/*/reprise.ftl; do
    size=$(brotli -q 5 -c "$file" | wc -c)
    if [ "$size" -gt "$words" ]; then words=$size; fi
  done
  printf '%d' "$((sum + words))"
}
