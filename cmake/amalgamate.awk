# SPDX-License-Identifier: MIT
#
# Prints the headers of conch as one. A header's text comes once, after that of the headers it
# includes, and under the condition of the preprocessor's that is over the first of those; what they
# include from the system stands once at the top, except where such a condition decides over it. The interface in C is left out: it is a header for files in C,
# and one that defines functions for a single file in C++.
#
# usage, in the project's folder: awk -f cmake/amalgamate.awk LICENSE CMakeLists.txt

FILENAME == "LICENSE" {
  licence = licence "//" ($0 == "" ? "" : " " $0) "\n"
  next
}

$1 == "VERSION" && version == "" { version = $2 }

$1 == "set(conch_headers" { take("conch/conch.hpp") }  # first: it has the conditions

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

function take(header,    path, line, status, depth, own_condition, own_text) {
  if (header in taken) return
  taken[header] = 1
  own_condition = condition
  path = "include/" header
  while ((status = (getline line < path)) > 0) {
    if (line == "#pragma once" || line ~ /^\/\/ SPDX-/) continue
    if (line ~ /^ *# *if/ && depth++ == 0) condition = without_comment(line)
    if (line ~ /^ *# *el/ && depth == 1) condition = "#else"
    if (line ~ /^ *# *endif/ && --depth == 0) condition = own_condition
    if (line ~ /^ *# *include <conch\/[^>]*>/) {
      if (condition == "#else") complain(path ": cannot tell the condition of " line)
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
  if (own_text == "") return
  if (condition != "") own_text = condition "\n\n" own_text "\n#endif\n"
  text = text "\n// --- " header "\n\n" own_text
}

function include_from_system(name) {
  if (name in included) return
  included[name] = 1
  system_includes = system_includes "#include <" name ">\n"
}

function without_comment(line) {
  sub(/ *\/\/.*$/, "", line)
  return line
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
