import com.fasterxml.jackson.databind.JsonNode;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.util.JsonFormat;
import io.apicurio.registry.serde.avro.AvroKafkaDeserializer;
import io.apicurio.registry.serde.avro.AvroKafkaSerializer;
import io.apicurio.registry.serde.jsonschema.JsonSchemaKafkaDeserializer;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;

/**
 * Writes and reads records with Java's clients and serializers.
 *
 * <p>Its arguments are a broker and a registry. Each line of its input has parts between tabs: "produce TOPIC FORMAT
 * KEY" writes a record with that key, and prints the key's bytes and the partition; "consume TOPIC FORMAT FORMAT"
 * prints each record of a topic, its partition, key and value. A FORMAT is "int", "long", "uuid", "string",
 * "avro SCHEMA", "json_schema", or "protobuf ID DESCRIPTORS".
 */
public class Serializers {
    interface Format {
        Object parse(String text) throws Exception;

        Serializer<Object> serializer(boolean isKey) throws Exception;

        Deserializer<?> deserializer(boolean isKey) throws Exception;

        default String show(Object value) throws Exception {
            return value.toString();
        }
    }

    static String servers, registry;

    public static void main(String[] arguments) throws Exception {
        servers = arguments[0];
        registry = arguments[1];
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (var producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", servers, "linger.ms", 0), new ByteArraySerializer(), new ByteArraySerializer())) {
            Map<String, Serializer<Object>> serializers = new HashMap<>();
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] words = line.split("\t");
                if (words[0].equals("consume")) {
                    consume(words[1], format(words[2]), format(words[3]));
                    continue;
                }
                Format format = format(words[2]);
                String name = words[1] + words[2];
                if (!serializers.containsKey(name)) {
                    serializers.put(name, format.serializer(true));
                }
                byte[] key = serializers.get(name).serialize(words[1], format.parse(words[3]));
                byte[] value = "java".getBytes(StandardCharsets.UTF_8);
                RecordMetadata sent = producer.send(new ProducerRecord<>(words[1], key, value)).get();
                System.out.println(HexFormat.of().formatHex(key) + "\t" + sent.partition());
            }
        }
    }

    static void consume(String topic, Format keys, Format values) throws Exception {
        Map<String, Object> settings = Map.of("bootstrap.servers", servers);
        try (var consumer = new KafkaConsumer<>(settings, keys.deserializer(true), values.deserializer(false))) {
            List<TopicPartition> partitions = new ArrayList<>();
            consumer.partitionsFor(topic).forEach(one -> partitions.add(new TopicPartition(topic, one.partition())));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(one -> consumer.position(one) < ends.get(one))) {
                for (ConsumerRecord<?, ?> record : consumer.poll(Duration.ofMillis(100))) {
                    String key = keys.show(record.key());
                    System.out.println(record.partition() + "\t" + key + "\t" + values.show(record.value()));
                }
            }
        }
        System.out.println();
    }

    static Format format(String text) throws Exception {
        String[] words = text.split(" ", 3);
        return switch (words[0]) {
            case "int" -> plain(new IntegerSerializer(), new IntegerDeserializer(), Integer::valueOf);
            case "long" -> plain(new LongSerializer(), new LongDeserializer(), Long::valueOf);
            case "uuid" -> plain(new UUIDSerializer(), new UUIDDeserializer(), UUID::fromString);
            case "string" -> plain(new StringSerializer(), new StringDeserializer(), one -> one);
            case "avro" -> new Avro(new Schema.Parser().parse(text.substring(5)));
            case "json_schema" -> new Json();
            default -> new Protobuf(Integer.parseInt(words[1]), Base64.getDecoder().decode(words[2]));
        };
    }

    interface Parse {
        Object of(String text);
    }

    @SuppressWarnings("unchecked")
    static Format plain(Serializer<?> serializer, Deserializer<?> deserializer, Parse parse) {
        return new Format() {
            public Object parse(String text) {
                return parse.of(text);
            }

            public Serializer<Object> serializer(boolean isKey) {
                return (Serializer<Object>) serializer;
            }

            public Deserializer<?> deserializer(boolean isKey) {
                return deserializer;
            }
        };
    }

    /** What makes Apicurio's serializers write, and read, Confluent's framing. */
    static Map<String, Object> confluent() {
        return Map.of(
                "apicurio.registry.url", registry,
                "apicurio.registry.as-confluent", true,
                "apicurio.registry.use-id", "contentId",
                "apicurio.registry.headers.enabled", false,
                "apicurio.registry.find-latest", true);
    }

    record Avro(Schema schema) implements Format {
        public Object parse(String text) throws Exception {
            return new GenericDatumReader<>(schema).read(null, DecoderFactory.get().jsonDecoder(schema, text));
        }

        public Serializer<Object> serializer(boolean isKey) {
            var made = new AvroKafkaSerializer<Object>();
            made.configure(confluent(), isKey);
            return made;
        }

        public Deserializer<?> deserializer(boolean isKey) {
            var made = new AvroKafkaDeserializer<Object>();
            made.configure(confluent(), isKey);
            return made;
        }
    }

    record Json() implements Format {
        public Object parse(String text) {
            throw new UnsupportedOperationException();
        }

        public Serializer<Object> serializer(boolean isKey) {
            throw new UnsupportedOperationException();
        }

        public Deserializer<?> deserializer(boolean isKey) {
            var made = new JsonSchemaKafkaDeserializer<JsonNode>();
            Map<String, Object> settings = new HashMap<>(confluent());
            settings.put("apicurio.registry.serde.validation-enabled", true);
            settings.put("apicurio.registry.deserializer.value.return-class", JsonNode.class.getName());
            made.configure(settings, isKey);
            return made;
        }
    }

    /** The first message of a schema. Confluent's framing is written here: nobody's serializer is on Maven Central. */
    record Protobuf(int id, byte[] descriptors) implements Format {
        Descriptor message() throws Exception {
            Map<String, FileDescriptor> files = new HashMap<>();
            FileDescriptor last = null;
            for (FileDescriptorProto file : FileDescriptorSet.parseFrom(descriptors).getFileList()) {
                FileDescriptor[] imports = file.getDependencyList().stream().map(files::get).toArray(FileDescriptor[]::new);
                last = FileDescriptor.buildFrom(file, imports);
                files.put(file.getName(), last);
            }
            return last.getMessageTypes().get(0);
        }

        public Object parse(String text) throws Exception {
            DynamicMessage.Builder built = DynamicMessage.newBuilder(message());
            JsonFormat.parser().merge(text, built);
            return built.build();
        }

        public Serializer<Object> serializer(boolean isKey) {
            return (topic, value) -> {
                byte[] payload = ((DynamicMessage) value).toByteArray();
                // The path of the first message is written as a single zero.
                return ByteBuffer.allocate(6 + payload.length).put((byte) 0).putInt(id).put((byte) 0).put(payload).array();
            };
        }

        public Deserializer<?> deserializer(boolean isKey) throws Exception {
            Descriptor message = message();
            return (topic, bytes) -> {
                ByteBuffer frame = ByteBuffer.wrap(bytes);
                if (frame.get() != 0 || frame.getInt() != id || frame.get() != 0) {
                    throw new IllegalArgumentException("not in the frame of schema " + id);
                }
                try {
                    return DynamicMessage.parseFrom(message, CodedInputStream.newInstance(frame));
                } catch (java.io.IOException error) {
                    throw new IllegalArgumentException(error);
                }
            };
        }

        public String show(Object value) throws Exception {
            return JsonFormat.printer().omittingInsignificantWhitespace().print((DynamicMessage) value);
        }
    }
}
