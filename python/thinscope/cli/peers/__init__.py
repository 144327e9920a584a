"""The commands of thin-provisioning-tools 1.x: same options, same bytes, same exit codes.

Where they differ, theirs is a defect; docs/compat.md tells each.
"""
