"""Where the tests take their answers from: the kernel's own words, and a second reader of the format."""
