# SPDX-License-Identifier: MIT
# Every sample of code in a text must be part of a program that is built and run.
#
# usage: awk -f check_samples.awk PROGRAM... TEXT.md...
#
# A sample is a block in a fence that names the language cpp, c or lua. Its lines must stand in one of the
# programs, without a gap; how far they are indented does not matter, nor do empty lines.

FNR == 1 { is_text = FILENAME ~ /\.md$/; in_sample = 0 }

{ sub(/^[ \t]+/, ""); sub(/[ \t]+$/, "") }

!is_text && $0 != "" { programs[FILENAME] = programs[FILENAME] "\n" $0 }

!is_text { next }

/^```/ {
  if (in_sample) check()
  else {
    in_fence = !in_fence
    if (in_fence && /^```(cpp|c|lua)$/) {
      in_sample = in_fence
      sample = ""
      begins = FNR
    }
  }
  next
}

in_sample && $0 != "" { sample = sample "\n" $0 }

function check(   name) {
  in_sample = in_fence = 0
  ++samples
  for (name in programs)
    if (index(programs[name] "\n", sample "\n")) return
  print FILENAME ":" begins ": no program has this sample" > "/dev/stderr"
  failed = 1
}

END {
  if (!samples) {
    print "there is no sample" > "/dev/stderr"
    exit 1
  }
  print samples " samples"
  exit failed
}
