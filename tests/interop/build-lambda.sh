#!/bin/sh
# What checks the starter for AWS Lambda: AWS's own emulator of it, as $BUILD/interop/aws-lambda-rie, out
# of the SAM CLI's package, and cfn-lint in $BUILD/interop/lambda, a virtual environment of its own. Does
# nothing where these very versions are there.
set -eu

cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-/usr/bin/python3}
cfn_lint=1.58.0
sam_cli=1.170.0
emulator=samcli/local/rapid/aws-lambda-rie-$(uname -m | sed 's/aarch64/arm64/')

"$PYTHON" -c 'import ensurepip' 2>/dev/null || {
    echo "build-lambda: $PYTHON makes no environments: install python3-venv" >&2
    exit 1
}
mkdir -p "${BUILD:-build}/interop"
cd "${BUILD:-build}/interop"
if [ -x aws-lambda-rie ] && [ "$(cat lambda/versions 2>/dev/null)" = "$cfn_lint $sam_cli" ]; then
    exit 0
fi

echo "build-lambda: installing cfn-lint $cfn_lint and the emulator of aws-sam-cli $sam_cli" >&2
rm -rf lambda aws-lambda-rie
"$PYTHON" -m venv lambda
lambda/bin/pip install --quiet --disable-pip-version-check "cfn-lint==$cfn_lint"
# Of this one nothing is installed and nothing run but the emulator.
lambda/bin/pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --dest lambda/wheel "aws-sam-cli==$sam_cli"
"$PYTHON" -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' \
    lambda/wheel/*.whl "$emulator" >lambda/emulator
chmod +x lambda/emulator
mv lambda/emulator aws-lambda-rie
rm -r lambda/wheel
echo "$cfn_lint $sam_cli" >lambda/versions
