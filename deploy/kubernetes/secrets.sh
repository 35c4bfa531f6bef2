#!/bin/sh
# Prints the Secrets of a mesh with fresh random tokens; nothing is written to disk.
#
#   sh deploy/kubernetes/secrets.sh shop | kubectl create -f -
#
# Arguments: the namespaces with sidecars. All of them get the same NATS and mesh token, so name them all at once.
# `create` and not `apply`: it refuses to replace tokens that are in use.
set -eu

if [ "$#" -eq 0 ]; then
  echo "usage: sh secrets.sh <namespace with sidecars>..." >&2
  exit 64
fi

# The letter in front keeps nats-server, which takes its token from the environment, from reading a number.
token() {
  printf 't%s' "$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')"
}

# secret <namespace> <name> <key> <value> [<key> <value>...]
secret() {
  printf -- '---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\n  namespace: %s\ntype: Opaque\nstringData:\n' "$2" "$1"
  shift 2
  while [ "$#" -gt 0 ]; do
    printf '  %s: %s\n' "$1" "$2"
    shift 2
  done
}

nats_token=$(token)
mesh_token=$(token)

secret weir-system weir-nats token "$nats_token"
secret weir-system weir-api token "$(token)"
for namespace in "$@"; do
  secret "$namespace" weir-sidecar nats-token "$nats_token" mesh-token "$mesh_token" metrics-token "$(token)"
done
