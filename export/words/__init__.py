"""Word models: what a camera sees, comparable with what people write.

A word model (``edge.model.words``) is made of an image tower, a temporal part over the crops of an
object, action prompts and, where a host is to read by itself, a text tower. Two ways lead to one:
CLIP's towers out of open_clip (``clip``, ``assemble``), or ``tiny``, a small pair that is trained
here on generated streets, with captions that follow from what their generator knows. The temporal
part (``fusion``) is trained the same way for both (``contrast``).
"""
