"""The base of the endpoints that Django REST framework serves."""

from rest_framework.views import APIView

from realtime.api.inputs import ObjectParser
from realtime.api.schema import ApiSchema


class ApiView(APIView):
    """Reads JSON objects, answers problems, describes itself. Synchronous."""

    parser_classes = [ObjectParser]
    schema = ApiSchema()
