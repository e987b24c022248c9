# shellcheck shell=bash
# ./dev test, ./dev screenshots, ./dev promises, ./dev bench, ./dev soak.

check_formatting() {
  have cargo-fmt || skip "cargo fmt is missing (rustup component add rustfmt)"
  cargo fmt --all -- --check
  rustfmt --edition 2024 --check .ci/guest/counter.rs
}

clippy() {
  [ ! -e "$stamps/debian-compiler" ] || skip "Debian's compiler has no clippy"
  have cargo-clippy || skip "cargo clippy is missing (rustup component add clippy)"
  "$cargo" clippy --no-default-features "$@" -- -D warnings
}

# All tests in one process. One that ends without saying how its tests went (a signal, or no end in sight) names those that
# were under way, and is run once more: whatever it was, the rest is worth knowing. The table says so.
test_minutes=30
cargo_tests() {
  local code=0 names run=$logs/tests.txt
  "$cargo" test --lib --features ssr --no-run
  for attempt in first second; do
    set +e
    timeout --signal=ABRT --kill-after=30s "${test_minutes}m" "$cargo" test --lib --features ssr 2>&1 | tee "$run"
    code=${PIPESTATUS[0]}
    set -e
    if grep -qa '^test result:' "$run"; then
      [ "$code" = 0 ] || tried_again "$run" || return "$code"
      return 0
    fi
    names=$(unfinished_tests "$run" | head -n 12 | paste -sd ' ')
    say "unfinished: $names"
    note "the $attempt run did not come to its end; under way or next: $names"
  done
  return 1
}

# A few that failed are run once more, alone: what fails beside seven hundred others only is told as that in the table, as it
# is of browser tests. What fails twice has failed.
tried_again() {
  local names
  mapfile -t names < <(awk '/^failures:$/ { count = 0; on = 1; next } on && /^    [a-z_0-9:]+$/ { names[count++] = $1 }
    END { for (at = 0; at < count; at++) print names[at] }' "$1")
  [ "${#names[@]}" -gt 0 ] && [ "${#names[@]}" -le 3 ] || return 1
  "$cargo" test --quiet --lib --features ssr -- --exact "${names[@]}" >"$1.again" 2>&1 || return 1
  printf '%s\n' "${names[@]}" >"$logs/tests.flaky"
  note "failed at first: ${names[*]}"
}

# Tests run in the order of their names: those not told of before the last one that was, and the two after it.
unfinished_tests() {
  local told=$1.told
  grep -aoE '^test [^ ]+ \.\.\.' "$1" | awk '{ print $2 }' | sort -u >"$told"
  "$cargo" test --quiet --lib --features ssr -- --list 2>/dev/null | sed -n 's/: test$//p' | LC_ALL=C sort |
    awk -v told="$told" 'BEGIN { while ((getline name < told) > 0) done[name] = 1 }
      { if ($0 in done) { for (at = 0; at < count; at++) print waiting[at]; count = 0 } else waiting[count++] = $0 }
      END { for (at = 0; at < count && at < 2; at++) print waiting[at] }'
}

# The server and the tests are the same crate twice over. Each is compiled by one thread for half of its time: at one time,
# they took 4:28 instead of 7:16 where both were measured, from nothing, on two cores.
build_server_and_tests() { "$cargo" build --bin reprise --tests --features ssr; }

browser_test_types() {
  [ -x end2end/node_modules/.bin/tsc ] || skip "the node modules are missing"
  (cd end2end && npx tsc --noEmit)
}

# browser_tests NAME [OPTION…]: its options are Playwright's; what it counted is kept under the name.
browser_tests() {
  local name=$1
  shift
  have chromium || skip "chromium is missing (package chromium)"
  have nbdcopy || skip "nbdcopy is missing (package libnbd-bin)"
  [ -x end2end/node_modules/.bin/playwright ] || skip "the node modules are missing"
  [ -x "$server" ] || { warn "   the server was not built"; return 1; }
  [ -d "$site/pkg" ] || { warn "   the browser half was not built"; return 1; }
  (cd end2end && PLAYWRIGHT_JSON_OUTPUT_NAME=$logs/playwright-$name.json npx playwright test "$@")
}

guest_browser_tests() {
  [ -n "${REPRISE_GUEST_IMAGE:-}" ] || skip "no QEMU, or no guest image"
  browser_tests "$@"
}

# The number of test cases that passed, failed and were skipped, from what the runners wrote.
count_cases() {
  local log=$1 counted
  counted=$(awk '/^test result:/ { for (i = 1; i <= NF; i++) { if ($i ~ /^passed/) p += $(i-1); if ($i ~ /^failed/) f += $(i-1); if ($i ~ /^ignored/) s += $(i-1) } }
    END { print p + 0, f + 0, s + 0 }' "$log")
  if [ -e "$logs/playwright-$2.json" ]; then
    counted=$(node -e '
      const { stats } = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
      console.log(stats.expected + stats.flaky, stats.unexpected, stats.skipped, stats.flaky);' "$logs/playwright-$2.json")
  fi
  if [ "$2" = tests ] && [ -e "$logs/tests.flaky" ]; then
    counted=$(awk -v again="$(wc -l <"$logs/tests.flaky")" '{ print $1 + again, $2 - again, $3, again }' <<<"$counted")
  fi
  echo "$counted"
}

passed=0 failed=0 skipped=0

# check NAME TITLE COMMAND…: a step of ./dev test; adds its test cases, or itself where it has none, to the tally.
check() {
  local name=$1 cases p f s flaky
  shift
  [[ $name == *"$only"* ]] || return 0
  step "$@"
  read -r p f s flaky <<<"$(count_cases "$logs/$(printf '%02d' "$steps").log" "$name")"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  cases=$((p + f + s))
  # A step that fails without a failed case (it did not compile, say) counts as one.
  if [ "$step_result" = FAILED ] && [ "$f" = 0 ]; then failed=$((failed + 1)); fi
  if [ "$step_result" = skipped ]; then skipped=$((skipped + 1)); fi
  if [ "$cases" -gt 0 ]; then
    [[ ${rows[-1]} == *'|' ]] || rows[-1]+='; '
    rows[-1]+="$p passed, $f failed, $s skipped${flaky:+, $flaky passed only when tried again}"
  fi
}

# What a virtual machine is needed for is skipped by each test that needs one; that is said in the table, too.
offer_guest_to_tests() {
  offer_guest && return
  warn
  warn "   REAL GUEST: SKIPPED. There is no QEMU, or no guest image: no test that boots a virtual machine will run."
  warn
  rows+=("skipped|0:00|REAL GUEST|no QEMU or no guest image: no test that boots a virtual machine ran")
  skipped=$((skipped + 1))
}

run_checks() {
  rm -f "$logs"/playwright*.json "$logs/tests.flaky"
  prepare "${needs_build[@]}" "${needs_test[@]}" "${needs_guest[@]}"
  check formatting "Formatting" check_formatting
  check clippy-server "Clippy, server" clippy --all-targets --features ssr
  check clippy-browser "Clippy, browser half" clippy --lib --target wasm32-unknown-unknown --features hydrate
  check guest "Guest image" build_guest
  offer_guest_to_tests
  check server "Server and tests" build_server_and_tests
  check tests "Unit, model and crash tests" cargo_tests
  check tools "Tool: wasm-bindgen" bring_wasm_bindgen
  check browser-half "Browser half" build_browser
  check budget "Browser half: budget" check_browser_budget
  check modules "Node modules" bring_node_modules
  check types "Browser tests: types" browser_test_types
  check browser "Browser tests" browser_tests browser
  check browser-guest "Browser tests on a real guest" guest_browser_tests browser-guest --config guest.config.ts
  table
  failures
  say
  say "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" = 0 ]
}

run_screenshots() {
  prepare "${needs_build[@]}" "${needs_test[@]}" "${needs_guest[@]}"
  step "Guest image" build_guest
  offer_guest || warn "   the pages will show no running instance"
  must "Tool: wasm-bindgen" bring_wasm_bindgen
  must "Browser half" build_browser
  must "Server" build_server
  must "Node modules" bring_node_modules
  must "Screenshots" bash -c 'cd end2end && npx playwright test --config screenshots.config.ts'
  say "They are in screenshots/."
}

# Each promise with its tests: a test that holds I-4 is named i04_… in Rust, "I-4 …" in a browser test's title.
show_promises() {
  local number found
  for number in $(seq 1 16); do
    say "I-$number"
    found=$(
      git grep -hoE "fn (i[0-9]+_)*i$(printf '%02d' "$number")_[a-z0-9_]+" -- src | sed 's/^fn /  /' | sort -u
      git grep -hoE "['\"\`](I-[0-9]+ )*I-$number [^'\"\`]+" -- end2end | sed "s/^['\"\`]/  end2end: /" | sort -u
    ) || true
    say "${found:-  (no test)}"
  done
}

run_bench() {
  prepare "${needs_build[@]}" "${needs_bench[@]}" "${needs_guest[@]}"
  step "Guest image" build_guest
  offer_guest || warn "   nothing that takes a virtual machine will be measured"
  must "Tool: wasm-bindgen" bring_wasm_bindgen
  must "Browser half" build_browser
  must "Server, release" "$cargo" build --release --bin reprise --features ssr
  must "Measurements" node end2end/bench/bench.mjs "$target/release/reprise" "$site" ${only:+"$only"}
}

run_soak() {
  prepare "${needs_build[@]}" "${needs_soak[@]}"
  must "Tool: garage" bring_garage
  must "Tool: wasm-bindgen" bring_wasm_bindgen
  must "Browser half" build_browser
  must "Server, release" "$cargo" build --release --bin reprise --features ssr
  must "Soak, $minutes min" node end2end/soak/soak.mjs "$target/release/reprise" "$site" "$tools/bin/garage" "$minutes"
}
