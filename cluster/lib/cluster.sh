# shellcheck shell=bash source-path=SCRIPTDIR
# What every command of the cluster begins with.

# The directory of the checkout, and the command's name.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
me=cluster/${0##*/}

# shellcheck source=lib/state.sh
. "$root/cluster/lib/state.sh"
# shellcheck source=lib/network.sh
. "$root/cluster/lib/network.sh"
# shellcheck source=lib/host.sh
. "$root/cluster/lib/host.sh"
# shellcheck source=lib/agent.sh
. "$root/cluster/lib/agent.sh"
# shellcheck source=lib/database.sh
. "$root/cluster/lib/database.sh"
# shellcheck source=lib/removal.sh
. "$root/cluster/lib/removal.sh"
