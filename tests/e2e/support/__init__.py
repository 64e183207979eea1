# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: processes, a broker, raw MQTT packets and clients, a proxy."""
