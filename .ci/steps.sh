# shellcheck shell=bash
# Numbered steps with the time they took, the table at the end, and stamps that keep a second run from repeating work.

target=$root/target
logs=$target/logs
stamps=$target/stamps
local_data=$root/.dev
export CARGO_TARGET_DIR=$target
cargo=${CARGO:-cargo}
mkdir -p "$logs" "$stamps"

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' plain=$'\e[0m'; else bold='' dim='' red='' plain=''; fi

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "${red}$*${plain}" >&2; }
die() { warn "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

started=$SECONDS
steps=0
rows=()
failed_steps=()
step_result=''

# step TITLE COMMAND [ARGUMENT…]: runs the command in a shell of its own, shows and keeps what it prints, and notes how it
# went. A failure does not end the script: what comes after may not depend on it. Do not call it in a condition: the
# shell would then ignore errors inside the command.
step() {
  local title=$1 begun=$SECONDS code log
  shift
  steps=$((steps + 1))
  log=$logs/$(printf '%02d' "$steps").log
  rm -f "$logs/note"
  say "${bold}$steps. $title${plain} ${dim}$(clock $((SECONDS - started)))${plain}"
  set +e
  (set -e; "$@") 2>&1 | tee "$log"
  code=${PIPESTATUS[0]}
  set -e
  case $code in
    0) step_result=passed ;;
    77) step_result=skipped ;;
    130 | 143) exit "$code" ;;
    *) step_result=FAILED; failed_steps+=("$log|$title") ;;
  esac
  rows+=("$step_result|$(clock $((SECONDS - begun)))|$title|$(cat "$logs/note" 2>/dev/null || true)")
}

# must TITLE COMMAND…: a step without which nothing further makes sense.
must() {
  step "$@"
  [ "$step_result" != FAILED ] || die "This step failed: $1. Its output is in target/logs."
}

# note TEXT: what the table says beside the step that is running.
note() { printf '%s' "$*" >"$logs/note"; }

# skip REASON: ends the step that is running, as skipped.
skip() {
  note "$*"
  warn "   skipped: $*"
  exit 77
}

# digest PATH…: one hash over the names and contents of all files under these paths.
digest() {
  find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

# A stamp says that a piece of work was done, and from what.
stamped() { [ "$(cat "$stamps/$1" 2>/dev/null || true)" = "$2" ]; }
stamp() { printf '%s' "$2" >"$stamps/$1"; }

table() {
  local row result time title text
  say
  printf '%-8s %6s  %s\n' result time what
  for row in "${rows[@]}"; do
    IFS='|' read -r result time title text <<<"$row"
    printf '%-8s %6s  %s%s\n' "$result" "$time" "$title" "${text:+: $text}"
  done
  printf '%-8s %6s  in all\n' '' "$(clock $((SECONDS - started)))"
}

# What the steps that failed said last, or of their cases, in a few lines: where only the end of an output is kept, it is
# here. A test runner that was killed names no case: then its last lines must do, and they name who sent the signal.
failures() {
  local failed log title lines
  for failed in "${failed_steps[@]}"; do
    IFS='|' read -r log title <<<"$failed"
    say
    warn "$title:"
    lines=$(grep -aE '^test .* \.\.\. FAILED|panicked at|running for over|signal: [0-9]|^unfinished|^error|^ +[0-9]+\) |^Error' "$log" | sort | uniq | tail -n 14)
    { say "${lines:-(no line names a case)}"; tail -n 5 "$log"; } | cut -c 1-180 | sed 's/^/  /'
  done
}
