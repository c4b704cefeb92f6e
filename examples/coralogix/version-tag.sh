#!/bin/sh
# Tags a deployment in Coralogix, so that findings and alerts are displayed next to the change. Run it as
# the last step of a pipeline:
#
#   CORALOGIX_DOMAIN=eu2.coralogix.com CORALOGIX_API_KEY=… ./version-tag.sh "crm 4.7.1" prod-eu
#
# The first argument is the tag, the others are applications: with the filter's defaults, clusters.
set -eu

: "${CORALOGIX_DOMAIN:?such as eu2.coralogix.com}" "${CORALOGIX_API_KEY:?an API key with the preset CICDIntegration}"
[ $# -ge 2 ] || { echo "usage: $0 TAG APPLICATION..." >&2; exit 2; }

case "$*" in
    *[[:cntrl:]]*) echo "$0: a name contains a tab, a line break or another control character" >&2; exit 2 ;;
esac

quoted() { printf '"%s"' "$(printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g')"; }

name=$(quoted "$1")
shift
applications=$(for application in "$@"; do quoted "$application"; printf ','; done)

# The key is passed on standard input: every user of the machine can read arguments.
printf 'header = "Authorization: Bearer %s"\n' "$CORALOGIX_API_KEY" | curl --config - --fail --silent --show-error \
    --header 'Content-Type: application/json' \
    --data "{\"name\":$name,\"application\":[${applications%,}],\"subsystem\":[\"kaudit-detections\",\"kaudit-selections\",\"kaudit-activity\"]}" \
    "https://api.$CORALOGIX_DOMAIN/api/v1/external/tags"
