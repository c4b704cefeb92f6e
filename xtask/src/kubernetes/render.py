"""`unpack TOOLS` takes kustomize's library and Kubernetes' schemas out of their packages; `render TOOLS FOLDER...`
prints the resources of each folder, a JSON list a line."""

import ctypes
import json
import pathlib
import sys
import zipfile

LIBRARY = "pykustomize/_lib/linux-amd64/libpykustomize.so"
SCHEMAS = "kubernetes_validate/kubernetes-json-schema/v1.34.0-local-strict/_definitions.json"


def unpack(tools):
    for pattern, member, name in [
        ("pykustomize-*.whl", LIBRARY, "libkustomize.so"),
        ("kubernetes_validate-*.whl", SCHEMAS, "schemas.json"),
    ]:
        (package,) = tools.glob(pattern)
        (tools / name).write_bytes(zipfile.ZipFile(package).read(member))
        package.unlink()


def render(tools, folder):
    library = ctypes.CDLL(str(tools / "libkustomize.so"))
    library.pykustomize_last_error.restype = ctypes.c_char_p
    text = ctypes.c_char_p()
    options = b'{"load_restrictions": 0, "reorder": "unspecified"}'
    if library.pykustomize_build_to_json(folder.encode(), options, ctypes.byref(text)) != 0:
        sys.exit(f"{folder}: {library.pykustomize_last_error().decode()}")
    return json.dumps(json.loads(text.value)["resources"])


task, tools, *folders = sys.argv[1:]
if task == "unpack":
    unpack(pathlib.Path(tools))
for folder in folders:
    print(render(pathlib.Path(tools), folder))
