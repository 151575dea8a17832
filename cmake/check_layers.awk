# SPDX-License-Identifier: MIT
#
# Checks the layers of include/conch: a header includes only what stands above its own layer or in
# it, and nothing outside platform/ names the operating system, a thread or a clock. Comments and
# string literals may name what they like.
#
# usage: awk -f check_layers.awk include/conch/...

BEGIN {
  # From the lowest layer to the highest; the first pattern that matches a file decides.
  layer[++layers] = "^(extremes|thread_safety)\\.hpp$"
  layer[++layers] = "^platform/"
  layer[++layers] = "^(concepts|contract|deadline)\\.hpp$"
  layer[++layers] = "^(observer|stats)\\.hpp$"
  layer[++layers] = "^((breaker|drop_request)\\.hpp$|fmq/)"
  layer[++layers] = "^([a-z]+_lock|[a-z]+_gil)\\.hpp$"
  layer[++layers] = "^runtime/"
  layer[++layers] = "^c/"
  layer[++layers] = "^conch\\.hpp$"
  system_header = "^(mutex|shared_mutex|thread|condition_variable|semaphore|latch|barrier|future|" \
                  "stop_token|ctime|csignal|(sys|linux)/.*|" \
                  "(pthread|semaphore|time|signal|sched|unistd|errno)\\.h)$"
  system_name = "^((pthread|sem|futex|FUTEX|SYS|clock|sched)_[a-zA-Z_0-9]+|futex|syscall|" \
                "timespec|(steady|system|high_resolution)_clock|thread_local|__thread|" \
                "std::(jthread|thread|this_thread|((recursive_|shared_)?(timed_)?)mutex|" \
                "latch|barrier|condition_variable(_any)?|(counting|binary)_semaphore))$"
  own_name = "^(pthread_lock|sem_lock)$"
  clock_type = "^(steady|system)_clock$"  # what the concepts accept, not a clock that is read
}

FNR == 1 {
  file = FILENAME
  sub(/^.*include\/conch\//, "", file)
  own_layer = layer_of(file)
  if (!own_layer) complain("belongs to no layer that this check knows")
  in_comment = 0
}

{ code = without_comments_and_strings($0) }

code ~ /^[ \t]*#[ \t]*include/ {
  name = $0
  sub(/^[^<"]*[<"]/, "", name)
  sub(/[>"].*$/, "", name)
  if (sub(/^conch\//, "", name)) {
    if (layer_of(name) > own_layer) complain("includes conch/" name ", which stands below it")
  } else if (file !~ /^platform\// && name ~ system_header) {
    complain("includes <" name ">, which only platform/ may")
  }
  next
}

file !~ /^platform\// {
  rest = code
  while (match(rest, /(std::)?[a-zA-Z_][a-zA-Z_0-9]*/)) {
    word = substr(rest, RSTART, RLENGTH)
    rest = substr(rest, RSTART + RLENGTH)
    if (word !~ system_name || word ~ own_name) continue
    if (word ~ clock_type && file == "concepts.hpp" && rest ~ /^::time_point/) continue
    complain("names " word ", which only platform/ may")
  }
}

END { exit failed }

function complain(what) {
  print FILENAME ":" FNR ": " what
  failed = 1
}

function layer_of(name, i) {
  for (i = 1; i <= layers; i++) if (name ~ layer[i]) return i
  return 0
}

function without_comments_and_strings(line, out, i, two) {
  out = ""
  for (i = 1; i <= length(line); i++) {
    two = substr(line, i, 2)
    if (in_comment) {
      if (two == "*/") { in_comment = 0; i++ }
    } else if (two == "/*") {
      in_comment = 1; i++
    } else if (two == "//") {
      break
    } else if (match(substr(line, i), /^("([^"\\]|\\.)*"|'([^'\\]|\\.)')/)) {
      out = out " "
      i += RLENGTH - 1
    } else {
      out = out substr(line, i, 1)
    }
  }
  return out
}
