"""Posts the messages of a CloudWatch Logs subscription to Fluent Bit's HTTP input (fluent-bit/eks.yaml).

A Lambda function for Python 3.12 or later without further packages: handler `eks_lambda.handler`, 128 MB, timeout 30 seconds.
It is the destination of a subscription filter of the log group /aws/eks/<cluster>/cluster. The environment contains URL, such
as https://fluent-bit.example.com:9880/, and the paths CA_FILE, CERTIFICATE_FILE and KEY_FILE of files in the package.

The message stays compressed. If it is not accepted, the function fails and Lambda repeats it, twice by default.
"""

import base64
import os
import ssl
import urllib.request


def handler(event, context):
    request = urllib.request.Request(
        os.environ["URL"],
        data=base64.b64decode(event["awslogs"]["data"]),
        headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
    )
    tls = ssl.create_default_context(cafile=os.environ.get("CA_FILE"))
    if "CERTIFICATE_FILE" in os.environ:
        tls.load_cert_chain(os.environ["CERTIFICATE_FILE"], os.environ["KEY_FILE"])
    # An answer other than 2xx raises an exception.
    urllib.request.urlopen(request, timeout=20, context=tls).close()
