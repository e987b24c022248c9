# shellcheck shell=bash
# ./dev run, ./dev stop, ./dev clean.

server=$target/debug/reprise
running=$local_data/server

build_server() { "$cargo" build --bin reprise --features ssr; }

# What both commands need before anything can be compiled.
prepare() {
  must "Disk and memory" check_machine
  step "Packages" bring_packages "$@"
  have cc || die "There is no C compiler (package build-essential): SQLite and zstd cannot be built."
  use_compiler
  must "Compiler" bring_compiler
  use_compiler
}

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

server_pid() {
  local pid
  pid=$(sed -n 1p "$running" 2>/dev/null || true)
  if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/exe" 2>/dev/null | sed 's/ (deleted)$//')" = "$server" ]; then echo "$pid"; fi
}

# box LINE…: the last thing on the screen.
box() {
  local line width=0
  for line in "$@"; do [ ${#line} -le "$width" ] || width=${#line}; done
  printf '┌%s┐\n' "$(printf '─%.0s' $(seq $((width + 2))))"
  for line in "$@"; do printf '│ %s%*s │\n' "$line" $((width - ${#line})) ''; done
  printf '└%s┘\n' "$(printf '─%.0s' $(seq $((width + 2))))"
}

welcome() {
  local address=$1
  shift
  box "Reprise: http://$address" "" \
    "Owner:                mt@boreale.example" \
    "Viewer:               viewer@boreale.example" \
    "Another organization: jb@laurentides.example" \
    "Password of all:      reprise-demo" "" \
    "Log: .dev/server.log      Stop: Ctrl-C, or ./dev stop" \
    "$@"
}

run_server() {
  local address pid code=0 guests=''
  pid=$(server_pid)
  if [ -n "$pid" ]; then
    say "A server is already running (process $pid)."
    welcome "$(sed -n 2p "$running")"
    return
  fi
  prepare "${needs_build[@]}" "${needs_guest[@]}"
  step "Guest image" build_guest
  must "Tool: wasm-bindgen" bring_wasm_bindgen
  must "Browser half" build_browser
  must "Server" build_server
  offer_guest || guests="No QEMU, or no guest image (see above): everything works but instances."
  while port_taken "$port"; do
    say "   port $port is taken: trying the next one"
    port=$((port + 1))
  done
  address=127.0.0.1:$port
  mkdir -p "$local_data"
  steps=$((steps + 1))
  say "${bold}$steps. Start${plain} ${dim}$(clock $((SECONDS - started)))${plain}"
  "$server" serve --demo --stop-guests --data "$local_data/data" --site "$site" --listen "$address" >"$local_data/server.log" 2>&1 &
  pid=$!
  trap 'kill -TERM "$pid" 2>/dev/null || true' INT TERM HUP
  printf '%s\n%s\n' "$pid" "$address" >"$running"
  until curl_health "$address"; do
    kill -0 "$pid" 2>/dev/null || { cat "$local_data/server.log" >&2; rm -f "$running"; die "The server did not start."; }
    sleep 0.2
  done
  welcome "$address" ${guests:+"$guests"}
  # A signal ends the first wait; the second one lets the server finish what it is doing.
  wait "$pid" || code=$?
  if kill -0 "$pid" 2>/dev/null; then code=0; wait "$pid" || code=$?; fi
  rm -f "$running"
  say "The server has stopped."
  return "$code"
}

# Whether the server answers, without needing curl.
curl_health() {
  local line
  { exec 3<>"/dev/tcp/${1%:*}/${1##*:}"; } 2>/dev/null || return 1
  printf 'GET /healthz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$1" >&3
  IFS= read -r -t 5 line <&3 || line=''
  exec 3<&- 3>&-
  [[ $line == *" 200 "* ]]
}

# Ends the guests of the sample data. The server does that when it ends; here for those that outlived one that was killed.
end_guests() {
  local process
  for process in /proc/[0-9]*; do
    # A guest runs in its own folder of the data.
    [[ $(readlink "$process/exe" 2>/dev/null) == */qemu-system-* && $(readlink "$process/cwd") == "$local_data/data/"* ]] || continue
    kill "${process#/proc/}" 2>/dev/null || true
  done
}

stop_server() {
  local pid
  pid=$(server_pid)
  [ -n "$pid" ] || { end_guests; say "No server of ./dev run is running."; return; }
  kill -TERM "$pid"
  for _ in $(seq 150); do
    kill -0 "$pid" 2>/dev/null || { rm -f "$running"; end_guests; say "Stopped."; return; }
    sleep 0.2
  done
  die "Process $pid has not stopped after 30 seconds."
}

clean() {
  stop_server
  rm -rf "$target" "$local_data" end2end/node_modules end2end/test-results end2end/playwright-report screenshots
  say "Removed: target, .dev, end2end/node_modules, end2end/test-results, end2end/playwright-report, screenshots."
}
