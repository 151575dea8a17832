# SPDX-License-Identifier: MIT
# Every link from a text into the project must lead to a file, and to a heading if it names one.
#
# usage: awk -f check_links.awk TEXT.md...
#
# Each text is to be given twice: its headings are read first, then its links. Headings are named as on
# GitHub: in lower case, without punctuation, with hyphens for spaces.

FNR == 1 {
  second = seen[FILENAME]++
  in_fence = 0
  folder = FILENAME
  if (!sub(/\/[^\/]*$/, "", folder)) folder = "."
}

/^ *```/ { in_fence = !in_fence }
in_fence { next }

!second && /^#+ / {
  name = tolower($0)
  sub(/^#+ +/, "", name)
  gsub(/\]\([^)]*\)/, "", name)
  gsub(/[^-a-z0-9_ ]/, "", name)
  gsub(/ /, "-", name)
  count = times[FILENAME, name]++
  headings[FILENAME "#" name (count ? "-" count : "")] = 1
}

second {
  line = $0
  gsub(/`[^`]*`/, "", line)
  while (match(line, /\]\([^)]*\)/)) {
    target = substr(line, RSTART + 2, RLENGTH - 3)
    line = substr(line, RSTART + RLENGTH)
    ++links
    if (target !~ /^[a-z]+:/) check(target)
  }
}

function complain(target, what) {
  print FILENAME ":" FNR ": " target ": " what > "/dev/stderr"
  failed = 1
}

# dir/./file and dir/../file as they are named on the command line.
function tidy(path) {
  while (sub(/\/\.\//, "/", path) || sub(/^\.\//, "", path)) {}
  while (sub(/[^\/.][^\/]*\/\.\.\//, "", path)) {}
  return path
}

function check(target,   file, heading) {
  heading = target
  file = target
  if (!sub(/^[^#]*#/, "", heading)) heading = ""
  sub(/#.*/, "", file)
  file = file == "" ? FILENAME : tidy(folder "/" file)
  if (system("test -e '" file "'") != 0) return complain(target, "there is no such file")
  if (heading != "" && file ~ /\.md$/ && !headings[file "#" heading]) {
    complain(target, seen[file] ? "there is no such heading" : "that text is not among those checked")
  }
}

END {
  if (!links) {
    print "there is no link" > "/dev/stderr"
    exit 1
  }
  print links " links"
  exit failed
}
