# SPDX-License-Identifier: MIT
#
# Prints the headers of conch as one. A header's text comes once, after that of the headers it
# includes; what they include from the system stands once at the top, except where a condition of
# the preprocessor decides over it. The interface in C is left out: it is a header for files in C,
# and one that defines functions for a single file in C++.
#
# usage, in the project's folder: awk -f cmake/amalgamate.awk LICENSE CMakeLists.txt

FILENAME == "LICENSE" {
  licence = licence "//" ($0 == "" ? "" : " " $0) "\n"
  next
}

$1 == "VERSION" && version == "" { version = $2 }

match($0, /include\/conch\/[a-z_\/]+\.hpp/) {
  header = substr($0, RSTART + length("include/"), RLENGTH - length("include/"))
  if (header !~ /^conch\/c\//) take(header)
}

END {
  if (version == "" || licence == "" || text == "") complain("gets LICENSE and CMakeLists.txt")
  if (failed) exit 1
  print "// SPDX-License-Identifier: MIT"
  print "//"
  print "// conch " version ", all headers in one; made by a program, not to be edited."
  print "//"
  printf "%s\n#pragma once\n\n%s%s", licence, system_includes, text
}

function take(header,    path, line, status, depth, own_text) {
  if (header in taken) return
  taken[header] = 1
  path = "include/" header
  while ((status = (getline line < path)) > 0) {
    if (line == "#pragma once" || line ~ /^\/\/ SPDX-/) continue
    if (line ~ /^ *# *if/) depth++
    if (line ~ /^ *# *endif/) depth--
    if (line ~ /^ *# *include <conch\/[^>]*>/) {
      take(between_brackets(line))
    } else if (line ~ /^ *# *include <[^>]*>/ && !depth) {
      include_from_system(between_brackets(line))
    } else if (line ~ /^ *# *include/ && !depth) {
      complain(path ": " line)
    } else if (line != "" || own_text !~ /(^|\n\n)$/) {
      own_text = own_text line "\n"
    }
  }
  if (status < 0) complain("cannot read " path)
  close(path)
  if (own_text != "") text = text "\n// --- " header "\n\n" own_text
}

function include_from_system(name) {
  if (name in included) return
  included[name] = 1
  system_includes = system_includes "#include <" name ">\n"
}

function between_brackets(line) {
  sub(/^[^<]*</, "", line)
  sub(/>.*$/, "", line)
  return line
}

function complain(what) {
  print "amalgamate.awk: " what >"/dev/stderr"
  failed = 1
}
