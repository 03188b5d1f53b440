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

passed=0 failed=0
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

# Installs anew only when what is asked for has changed.
python_tools() { # where, what
    local stamp=$1/.installed
    cmp -s "$2" "$stamp" && return 0
    rm -rf "$1"
    python3 -m venv "$1" &&
        "$1/bin/pip" install --quiet --disable-pip-version-check -r "$2" &&
        cp "$2" "$stamp"
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

# `sam build` with the real compiler: one function without optimisation, which shows
# that SAM, cargo-lambda and the workspace understand each other, in some minutes;
# all of them, as they are deployed, for who says so. For this machine's processor,
# because the libraries for the other one are not on every machine.
sam_build() {
    local compilers=$tools/package-venv architecture=x86_64 function=Drain mode=debug
    python_tools "$compilers" tools/xtask/package/requirements.txt || return 1
    [ "$(uname -m)" = aarch64 ] && architecture=arm64
    if [ "${MOTHERLODE_SAM_BUILD:-0}" = 1 ]; then
        function= mode=release
        set -a && . infra/build.env && set +a
    fi
    PATH="$compilers/bin:$PATH" CARGO_TARGET_DIR=$root/target/sam SAM_BUILD_MODE=$mode \
        "$venv/bin/sam" build ${function:+"$function"} --template-file infra/template.yaml \
        --beta-features --parameter-overrides "Architecture=$architecture" \
        --build-dir "$tools/sam-build" --cache-dir "$tools/sam-cache" || return 1
    # ELF, for Lambda to start.
    [ "$(head -c 4 "$tools/sam-build/Drain/bootstrap" | tail -c 3)" = ELF ]
}

always=$wanted wanted="  "
check tools "the tools are installed" python_tools "$venv" infra/checks/requirements.txt
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
check sam-build-rust "sam build with the compiler" sam_build

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
