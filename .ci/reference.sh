#!/usr/bin/env bash
# .ci/reference.sh [DIRECTORY]   the API's reference from the public headers, as HTML (build/reference); a warning fails
#
# The headers' comments are plain ones. For Doxygen they become its own, as it reads.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
into=${1:-build/reference}
mkdir -p "$into"
doxygen - <<END
PROJECT_NAME           = yukha
PROJECT_NUMBER         = $(sed -n 's/.*YUKHA_VERSION "\(.*\)".*/\1/p' include/yukha/version.hpp)
OUTPUT_DIRECTORY       = "$into"
INPUT                  = include/yukha
FILE_PATTERNS          = *.hpp *.h
INPUT_FILTER           = "sed -E -e ':a; s#((//|^ *\*|/\*) .*[^\\\\])<#\1\\\\<#; ta' -e 's|^( *)// |\1/// |' -e 's|([;,{] *)// |\1///< |' -e 's|^/\* |/** |' -e 's|^( *)/\* |\1/** |' -e 's|([;,] *)/\* |\1/**< |'"
FILTER_SOURCE_FILES    = YES
STRIP_FROM_PATH        = include
STRIP_FROM_INC_PATH    = include
MACRO_EXPANSION        = YES
PREDEFINED             = __cplusplus
EXCLUDE_SYMBOLS        = yukha::detail*
MARKDOWN_SUPPORT       = NO
AUTOLINK_SUPPORT       = YES
JAVADOC_AUTOBRIEF      = YES
QT_AUTOBRIEF           = YES
EXTRACT_ALL            = YES
EXTRACT_PRIVATE        = NO
EXTRACT_STATIC         = YES
OPTIMIZE_OUTPUT_FOR_C  = NO
GENERATE_LATEX         = NO
HAVE_DOT               = NO
QUIET                  = YES
WARN_IF_UNDOCUMENTED   = NO
WARN_AS_ERROR          = FAIL_ON_WARNINGS
END
echo "the reference is in $into/html/index.html"
