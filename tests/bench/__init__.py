"""The measuring bench: what questions cost, beside thin-provisioning-tools and beside merely reading.

``make bench`` builds what it needs and runs ``python -m tests.bench``; docs/performance.md tells how it measures.
One word each: a *pool* is what is asked (`pools`), a *job* a question, a *side* one way to have it answered
(`jobs`), a *sample* what the runs of a side took (`samples`), an *aim* how little that should be (`aims`).
"""
