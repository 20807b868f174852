"""The demo's material: two lists with the defects of real exports, and the story of the people on them."""
