#!/usr/bin/env bash
# Checks the deployment without an account, one line for each check; what a check
# that failed has said follows its line. Called by `cargo xtask test`.
#
#   infra/check.sh           all of it
#   infra/check.sh moto      one or several, by name
#
# Tools are installed into $MOTHERLODE_TOOLS (.motherlode/tools) when they are not
# there: Python's from infra/checks/requirements.txt, Node's by `npm ci` in cdk/.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
root=$PWD
tools=${MOTHERLODE_TOOLS:-$root/.motherlode/tools}
venv=$tools/infra-venv
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-central-1 PYTHONDONTWRITEBYTECODE=1
# No check may find somebody's account.
export AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_EC2_METADATA_DISABLED=true
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
export CDK_DISABLE_CLI_TELEMETRY=true
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL

passed=0 failed=0 skipped=0
wanted=" $* "

check() { # name, what it shows, command
    local name=$1 text=$2
    shift 2
    [[ $wanted == "  " || $wanted == *" $name "* ]] || return 0
    local start=$SECONDS
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        printf 'ok      %-14s %s (%d s)\n' "$name" "$text" $((SECONDS - start))
    else
        failed=$((failed + 1))
        printf 'FAILED  %-14s %s\n' "$name" "$text"
        sed 's/^/    /' "$log"
    fi
}

skip() { # name, reason
    [[ $wanted == "  " || $wanted == *" $1 "* ]] || return 0
    skipped=$((skipped + 1))
    printf 'skipped %-14s %s\n' "$1" "$2"
}

# Installs anew only when what is asked for has changed.
python_tools() {
    local stamp=$venv/.installed
    cmp -s infra/checks/requirements.txt "$stamp" && return 0
    rm -rf "$venv"
    python3 -m venv "$venv" &&
        "$venv/bin/pip" install --quiet --disable-pip-version-check -r infra/checks/requirements.txt &&
        cp infra/checks/requirements.txt "$stamp"
}

# What is in the folder above the packages is what npm finds last, so a link to
# the tools folder serves as node_modules.
node_tools() {
    local folder=$tools/infra-node
    mkdir -p "$folder" || return 1
    if ! cmp -s cdk/package-lock.json "$folder/.installed" || [ ! -d "$folder/node_modules" ]; then
        cp cdk/package.json cdk/package-lock.json "$folder/" || return 1
        (cd "$folder" && npm ci --no-audit --no-fund) || return 1
        cp cdk/package-lock.json "$folder/.installed" || return 1
    fi
    if [ ! -e cdk/node_modules ] || [ -L cdk/node_modules ]; then
        ln -sfn "$folder/node_modules" cdk/node_modules
    fi
}

python() { (cd infra/checks && "$venv/bin/python" -m unittest "$@"); }
cdk() { (cd cdk && node_modules/.bin/"$@"); }

synth() {
    cdk cdk synth --quiet --app 'node build/bin/app.js' --output build/cdk.out \
        -c settings=settings.example.json -c code=placeholder
}

# `sam build` compiles everything with cargo-lambda, which takes minutes: who wants
# it says so, and brings cargo-lambda.
sam_build() {
    "$venv/bin/sam" build --template-file infra/template.yaml --beta-features \
        --build-dir "$tools/sam-build" --cache-dir "$tools/sam-cache"
}

always=$wanted wanted="  "
check tools "the tools are installed" python_tools
check packages "the packages of cdk/ are installed" node_tools
wanted=$always
[ "$failed" -gt 0 ] && exit 1

lint() { "$venv/bin/cfn-lint" infra/template.yaml infra/topic.yaml; }
validate() { "$venv/bin/sam" validate --lint --template-file infra/template.yaml; }
config() { "$venv/bin/python" infra/checks/samconfig.py; }
check cfn-lint "the templates are what CloudFormation takes" lint
check sam-validate "sam validate --lint" validate
check samconfig "samconfig.toml names the parameters that it must, and no others" config
check cdk-build "cdk/ compiles" cdk tsc
check cdk-synth "cdk synth" synth
check cdk-test "assertions, snapshots and cdk-nag" bash -c 'cd cdk && node --test build/test/*.test.js'
scenarios() { (cd cdk && node build/test/scenarios.js); }
check scenarios "every scenario is synthesised" scenarios
check same "SAM and CDK make the same resources and permissions" python test_same
check iam "least privilege: no wildcard without a reason" python test_iam
check settings "settings fit each other, and what cannot be is refused" python test_settings
check code "variables, metrics, tables and calls are those of the code" python test_code
local_stack() { "$venv/bin/python" infra/checks/local.py; }
check local "the local stack's tables and queues are those of the template" local_stack
check moto "moto deploys what it can, and every resource is there" python test_moto
check sam-build "sam build and sam deploy, with stand-ins for the compiler and AWS" python test_build
check guide "the guide names what there is" python test_guide
if [ "${MOTHERLODE_SAM_BUILD:-0}" = 1 ]; then
    check sam-build-rust "sam build" sam_build
else
    skip sam-build-rust "compiles every function: MOTHERLODE_SAM_BUILD=1, with cargo-lambda on PATH"
fi

printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
