#!/usr/bin/python3
"""A resolver for the daemon: where two have written a document's `content`
apart, both texts stand, with a line between them. What else two have written
apart stays a conflict that a person looks at.

In syncline.yaml, then a restart:

    resolve:
      command: /usr/local/bin/merge_documents.py

and for the space, once, on any member: syncline policy lan custom"""

import json
import sys

conflict = json.load(sys.stdin)
texts = conflict["siblings"]
if conflict["path"] != "/content" or not all(
        isinstance(text, str) for text in texts):
    sys.exit(1)  # it stays open
print(json.dumps("\n---\n".join(texts)))
